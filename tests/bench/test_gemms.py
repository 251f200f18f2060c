from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bridge.bench import PaperRollout, PaperSizes, default_gemms, formula, paper_gemms, total_gflop
from bridge.bench.gemms import parts_by_size
from bridge.bench.workload import standing_windows
from bridge.forecaster import Forecaster, RefinedFlow, Refinement
from bridge.forecaster.architecture import Architecture
from bridge.forecaster.model import GruSnf
from bridge.forecaster.rollout import draw_noise, rollout
from tests.bench.builders import TINY, tiny_net
from tests.forecaster.builders import contexts
from tests.support import small_architecture


def test_the_count_of_the_forecasters_work_is_what_torch_counts() -> None:
    arch, batch, samples, frames = Architecture.for_joints(33), 2, 4, 9
    sampler = RefinedFlow(Refinement("pcn", steps=1, step_size=0.3))
    model = GruSnf(arch).eval().requires_grad_(False)
    noise = draw_noise(
        range(batch),
        steps=3,
        samples=samples,
        dim=arch.block_dim,
        root_dim=arch.root_dim,
        kicks=sampler.kicks(model.flow),
        device=torch.device("cpu"),
    )
    with FlopCounterMode(display=False) as counter:
        rollout(model, contexts(batch, arch), noise, sampler, horizon_frames=frames)
    # Left out of the formula: the root's displacement, three numbers by two. Pose coordinates follow from the block's,
    # which is a little less than encoding the pose anew.
    assert total_gflop(default_gemms(arch, batch, samples, frames)) == pytest.approx(
        counter.get_total_flops() / 1e9, rel=0.01
    )


def test_the_count_with_guide_and_limbs_is_what_torch_counts_of_a_forecast() -> None:
    forecaster = Forecaster.load(device="cpu", record=False)
    assert forecaster.refinement.guide > 0
    arch, batch, samples, frames = forecaster.metadata.architecture, 2, 4, 9
    windows = standing_windows(forecaster, batch)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the counter sees the caller's thread alone
    try:
        with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: _addmm_flop}) as counter:
            forecaster.sample(windows, horizon_frames=frames, samples=samples, seeds=range(batch))
    finally:
        torch.set_num_threads(threads)
    bones = len(forecaster.layout.limb_bones)
    counted = counter.get_total_flops() / 1e9
    # Left out of the formula: the root's displacement, three numbers by two.
    assert total_gflop(default_gemms(arch, batch, samples, frames, limb_bones=bones, guided=True)) == pytest.approx(
        counted, rel=0.005
    )
    assert total_gflop(default_gemms(arch, batch, samples, frames)) < 0.9 * counted


def _addmm_flop(added: list[int], left: list[int], right: list[int], **_: object) -> int:
    """What torch counts for the product that is not in place."""
    return 2 * left[0] * left[1] * right[1]


def _baddbmm_flop(added: list[int], left: list[int], right: list[int], **_: object) -> int:
    """What torch counts for the product that is not in place."""
    return 2 * left[0] * left[1] * left[2] * right[2]


def test_the_count_of_the_published_sizes_work_is_what_torch_counts() -> None:
    draw = PaperRollout(tiny_net(), refined=True)
    context = torch.rand(2, TINY.context_frames, TINY.dim)
    in_place = {torch.ops.aten.baddbmm_: _baddbmm_flop}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        draw(context, samples=3, horizon_frames=5, generator=torch.Generator().manual_seed(0))
    assert total_gflop(paper_gemms(TINY, 2, 3, 5)) == pytest.approx(counter.get_total_flops() / 1e9, rel=1e-9)


def test_the_published_sizes_take_40_gflop_less_the_masked_halves_and_the_last_state() -> None:
    sizes = PaperSizes()
    ours = total_gflop(paper_gemms(sizes, 1, sizes.samples, sizes.horizon_frames))
    masked = 2e-9 * 2 * 5 * 2 * 30 * 512 * 1600
    last_state = 2e-9 * 100 * 1536 * (60 + 5 * 512)
    assert ours + masked + last_state == pytest.approx(40.1, rel=0.01)


def test_work_grows_with_whole_blocks_of_frames() -> None:
    arch = small_architecture(5)
    flop = {frames: total_gflop(default_gemms(arch, 1, 4, frames)) for frames in (1, 3, 4, 6)}
    assert flop[1] == flop[3] < flop[4] == flop[6]


def test_layers_that_read_the_same_input_share_one_product() -> None:
    gemms = [gemm for gemm in default_gemms(Architecture.for_joints(33), 1, 4, 9) if gemm.within]
    assert len({gemm.shape for gemm in gemms}) == 1
    assert sum(gemm.share for gemm in gemms) == pytest.approx(1)
    (shares,) = parts_by_size(gemms).values()
    assert next(iter(shares)) == "flow"
    assert sum(shares.values()) == pytest.approx(1)


def test_the_formula_shows_every_product_and_their_sum() -> None:
    gemms = paper_gemms(PaperSizes(), 1, 100, 16)
    lines = formula(gemms)
    assert len(lines) == len(gemms) + 1
    assert "2 x 100 x 512 x 512 x 320 times" in lines[5]
    assert lines[-1].split()[-2:] == [f"{total_gflop(gemms):.3f}", "GFLOP"]
