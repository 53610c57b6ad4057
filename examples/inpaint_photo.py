import mendpix

result = mendpix.inpaint("examples/photo.jpg", "examples/mask.png")
result.image.save("mended.png")
print(f"{result.hole.mean():.1%} of the picture filled by {result.model}")
print(f"artifact score {result.artifact_score:.3f}")
