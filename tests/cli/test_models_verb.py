import json

from mendpix import list_models


def test_lists_every_model_in_a_line(mendpix):
    result = mendpix("models")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [model.name for model in list_models()]
    for line, model in zip(lines, list_models(), strict=True):
        assert line.split()[1] == model.kind
        assert model.description in line
        assert line.endswith("(not installed)") != model.available
    assert len({line.index(model.description) for line, model in zip(lines, list_models(), strict=True)}) == 1


def test_json_is_one_object(mendpix):
    result = mendpix("models", "--json")
    assert result.stdout.count("\n") == 1
    listed = json.loads(result.stdout)["models"]
    assert [model["name"] for model in listed] == [model.name for model in list_models()]
    assert {"name", "kind", "description", "available"} <= set(listed[0])
