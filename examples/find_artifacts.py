import mendpix

doubt = mendpix.detect("examples/photo.jpg")
print(f"artifact score {doubt.score:.3f}")
row, column = divmod(int(doubt.probability.argmax()), doubt.probability.shape[1])
print(f"most doubtful at column {column}, row {row}: {doubt.probability[row, column]:.0%}")
