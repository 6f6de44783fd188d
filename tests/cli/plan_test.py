"""memlayers plan: what a configuration costs, before anything is allocated."""

import json
from pathlib import Path

import pytest

from program import refuse, succeed

PAPER = Path(__file__).parents[2] / "configs" / "paper"


def plan(*arguments):
    return json.loads(succeed("plan", *arguments, "--json").out)


def test_prints_the_published_total_to_the_printed_digit():
    out = succeed("plan", str(PAPER / "1.3b_memory_plus_64m.yaml")).out
    assert "138747.6 M" in out


def test_json_holds_unrounded_numbers_that_add_up():
    numbers = plan(str(PAPER / "134m_memory_plus_1m.yaml"), "dtype=float32")
    parts = numbers["parameters"]
    total, norms, active = parts.pop("total"), parts.pop("norms"), parts.pop("active")
    assert norms == (2 * 12 + 1) * 768
    assert sum(parts.values()) == total
    assert active == total - parts["tables"] + 3 * 4 * 32 * 768  # three layers, four heads, 32 rows
    assert numbers["flops_per_token"]["training"] == 3 * numbers["flops_per_token"]["forward"]
    sizes = numbers["bytes"]
    assert sizes.pop("total") == sum(sizes.values())
    assert numbers["dtype"] == "float32"


def test_batch_and_sequence_scale_the_activations_alone():
    config = str(PAPER / "134m_dense.yaml")
    small = plan(config, "--batch-size", "1", "--seq-len", "512", "dtype=float32")["bytes"]
    large = plan(config, "--batch-size", "4", "--seq-len", "512", "dtype=float32")["bytes"]
    assert large["activations"] > 2 * small["activations"]
    assert large["weights"] == small["weights"] and large["optimizer"] == small["optimizer"]


def test_takes_a_models_own_configuration(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 100,
                                  "num_hidden_layers": 2, "torch_dtype": "bfloat16", "rope_scaling": None}))
    assert plan(str(config))["parameters"]["embedding"] == 6400
    assert plan(str(config), "vocab_size=200")["parameters"]["embedding"] == 12800


def test_overrides_reach_a_runs_model():
    config = str(PAPER / "134m_dense.yaml")
    with_table = plan(config, "model.memory.layers=[6]", "model.memory.num_sub_keys=64")
    assert with_table["parameters"]["tables"] == 64 * 64 * 768


def test_experts_are_counted_whole_and_by_what_a_token_uses():
    out = succeed("plan", str(PAPER / "134m_moe.yaml")).out
    assert "983.6 M" in out and "experts" in out
    numbers = plan(str(PAPER / "134m_moe.yaml"))
    parts, dense = numbers["parameters"], plan(str(PAPER / "134m_dense.yaml"))
    router = 12 * 16 * 768
    assert parts["experts"] == 16 * dense["parameters"]["feed_forward"] + router
    assert parts["active"] == dense["parameters"]["total"] + router
    assert numbers["flops_per_token"]["experts"] == dense["flops_per_token"]["feed_forward"] + 2 * router


@pytest.mark.parametrize("base, experts, total", [("134m", 16, "983.6 M"), ("373m", 8, "1827.3 M"),
                                                  ("720m", 6, "2797.5 M"), ("1.3b", 4, "3545.4 M")])
def test_matches_experts_to_a_memory_model_as_the_paper_did(base, experts, total):
    arguments = [str(PAPER / f"{base}_moe.yaml"), "model.experts.num_experts=2",
                 "--match", str(PAPER / f"{base}_memory.yaml")]
    found = plan(*arguments)
    assert found["overrides"] == [f"model.experts.num_experts={experts}"]
    assert found["given"] == 2 and found["value"] == experts
    assert found["matched"] == ("fewest experts, a multiple of 2, whose total of parameters exceeds the reference's")
    assert found["reference"]["parameters"] == plan(str(PAPER / f"{base}_memory.yaml"))["parameters"]["total"]
    assert found["ratio"]["parameters"] == found["model"]["parameters"] / found["reference"]["parameters"] > 1
    out = succeed("plan", *arguments).out
    assert total in out and f"model.experts.num_experts={experts}" in out and found["matched"] in out


def test_what_a_match_prints_is_what_plan_then_counts():
    config, reference = str(PAPER / "134m_dense.yaml"), str(PAPER / "134m_memory_plus_1m.yaml")
    for times in (1, 2, 4):
        found = plan(config, "--match", reference, "--flops", str(times))
        counted = plan(config, *found["overrides"])
        assert counted["parameters"]["total"] == found["model"]["parameters"]
        assert counted["flops_per_token"]["training"] == found["model"]["flops_per_token"]["training"]
        assert abs(found["ratio"]["flops_per_token"] / times - 1) < 0.1


def test_the_size_and_its_multiples_can_be_chosen():
    found = plan(str(PAPER / "134m_peer.yaml"), "--match", str(PAPER / "134m_memory.yaml"), "--multiple-of", "256")
    assert found["overrides"] == ["model.memory.num_sub_keys=768"]
    found = plan(str(PAPER / "134m_dense.yaml"), "--match", str(PAPER / "373m_dense.yaml"), "--vary", "intermediate_size")
    assert abs(found["ratio"]["parameters"] - 1) < 1e-4


@pytest.mark.parametrize("arguments, reason", [
    (["--flops", "2"], "--match"),
    (["--match", str(PAPER / "134m_memory.yaml"), "--vary", "vocab_size"], "expected one of experts.num_experts"),
    (["--match", str(PAPER / "134m_memory.yaml"), "--vary", "ngrams.rows"], "no n-gram layers"),
    (["--match", str(PAPER / "134m_memory.yaml"), "--flops", "1e12"], "no valid size"),
])
def test_impossible_matches_are_refused(arguments, reason):
    assert reason in refuse(2, "plan", str(PAPER / "134m_dense.yaml"), *arguments)


@pytest.mark.parametrize("override, reason", [
    ("model.hiden_size=3", "hidden_size"),
    ("model.num_attention_heads=7", "num_attention_heads"),
    ("model.vocab_size=0", "vocab_size"),
])
def test_impossible_configurations_are_refused(override, reason):
    assert reason in refuse(2, "plan", str(PAPER / "134m_dense.yaml"), override)


def test_too_many_slots_per_head_are_refused_with_both_numbers():
    said = refuse(2, "plan", str(PAPER / "134m_memory.yaml"), "model.memory.num_sub_keys=4")
    assert "32" in said and "16 slots" in said


def test_a_missing_file_is_named():
    assert "no-such.yaml" in refuse(1, "plan", "no-such.yaml")
