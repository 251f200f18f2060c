from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import InvalidInput
from bridge.forecaster.refinement import KERNELS, BlendedEnergy, Refinement

thousandths = st.integers(0, 1000).map(lambda n: n / 1000)


@st.composite
def refinements(draw: st.DrawFn) -> Refinement:
    return Refinement(
        kernel=draw(st.sampled_from(KERNELS)),
        steps=draw(st.integers(0, 64)),
        step_size=draw(thousandths),
        temperature=draw(st.integers(1, 4000).map(lambda n: n / 1000)),
        layers=draw(st.sampled_from(("all", "last"))),
        persistence=draw(st.integers(0, 999).map(lambda n: n / 1000)),
    )


@given(refinements())
def test_text_reads_back_as_the_same_refinement(refinement: Refinement) -> None:
    read = Refinement.parse(str(refinement))
    if refinement.active:
        assert read == refinement
    else:
        assert not read.active and read.temperature == refinement.temperature
    assert str(read) == str(refinement)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", Refinement()),
        ("none(temperature=0.9)", Refinement(temperature=0.9)),
        ("pcn", Refinement("pcn", 1, 0.2)),
        (" langevin ( steps = 2 , step_size=0.35,layers=last ) ", Refinement("langevin", 2, 0.35, layers="last")),
        ("metropolis()", Refinement("metropolis", 1, 0.2)),
    ],
)
def test_short_forms_take_the_defaults(text: str, expected: Refinement) -> None:
    assert Refinement.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "refinement"),
        ("pcn:1:0.2", "refinement"),
        ("pcn(steps=1", "refinement"),
        ("pcn(speed=1)", "refinement"),
        ("pcn(steps=many)", "refinement"),
        ("pcn(steps=1.5)", "refinement"),
        ("gibbs(steps=1)", "refinement.kernel"),
        ("pcn(steps=65)", "refinement.steps"),
        ("pcn(steps=-1)", "refinement.steps"),
        ("pcn(step_size=1.1)", "refinement.step_size"),
        ("metropolis(step_size=4.1)", "refinement.step_size"),
        ("metropolis(step_size=nan)", "refinement.step_size"),
        ("none(temperature=0)", "refinement.temperature"),
        ("none(temperature=nan)", "refinement.temperature"),
        ("pcn(layers=first)", "refinement.layers"),
        ("pcn(persistence=1)", "refinement.persistence"),
    ],
)
def test_other_text_is_refused_with_the_field_at_fault(text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Refinement.parse(text)
    assert caught.value.field == field
    assert caught.value.expected


@pytest.mark.parametrize(
    "refinement",
    [Refinement(), Refinement("pcn", 0, 0.2), Refinement("pcn", 3, 0.0), Refinement("none", steps=3, step_size=0.5)],
)
def test_without_kernel_steps_or_size_nothing_is_done(refinement: Refinement) -> None:
    assert not refinement.active
    assert refinement.kicks(6) == 0


def test_steps_are_taken_after_every_coupling_or_after_the_last_one() -> None:
    everywhere, at_the_end = Refinement("pcn", 2, 0.2), Refinement("pcn", 2, 0.2, layers="last")
    assert [everywhere.layer_steps(i, 4) for i in range(4)] == [2, 2, 2, 2]
    assert [at_the_end.layer_steps(i, 4) for i in range(4)] == [0, 0, 0, 2]
    assert (everywhere.kicks(4), at_the_end.kicks(4)) == (8, 2)


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_blended_energy_is_the_schedules_formula_up_to_a_constant(layers: int) -> None:
    torch.manual_seed(layers)
    mean, scale = torch.randn(7, 3, dtype=torch.float64), 0.3 + torch.rand(7, 3, dtype=torch.float64)
    first, second = torch.randn(2, 7, 3, dtype=torch.float64)
    for layer in range(layers):
        blend = layer / (layers - 1) if layers > 1 else 1.0

        def formula(y: torch.Tensor, blend: float = blend) -> torch.Tensor:
            base = 0.5 * (y**2).sum(dim=1)
            prediction = 0.5 * (((y - mean) / scale) ** 2).sum(dim=1)
            return (1 - blend) * base + blend * prediction

        energy = BlendedEnergy.between(layer, layers, mean, scale)
        torch.testing.assert_close(energy(first) - energy(second), formula(first) - formula(second))


def test_schedule_runs_from_the_base_to_the_prediction() -> None:
    mean, scale = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    first, last = BlendedEnergy.between(0, 5, mean, scale), BlendedEnergy.between(4, 5, mean, scale)
    torch.testing.assert_close(first.mean, torch.zeros(2))
    torch.testing.assert_close(first.precision, torch.ones(2))
    torch.testing.assert_close(last.mean, mean)
    torch.testing.assert_close(last.precision, scale**-2)


def test_gradient_of_the_energy_vanishes_at_its_mean_and_grows_with_its_precision() -> None:
    torch.manual_seed(3)
    energy = BlendedEnergy.between(2, 4, torch.randn(3), 0.2 + torch.rand(3))
    y = torch.randn(6, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(energy(y).sum(), y)
    torch.testing.assert_close(gradient, energy.precision * (y.detach() - energy.mean))
    at_mean = torch.as_tensor(energy.mean).expand(6, 3).clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(energy(at_mean).sum(), at_mean)
    assert torch.equal(gradient, torch.zeros(6, 3))


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_with_the_head_outermost_every_layers_energy_is_the_standard_normal(layers: int) -> None:
    for layer in range(layers):
        energy = BlendedEnergy.between(layer, layers, torch.zeros(()), torch.ones(()))
        assert float(energy.mean) == 0.0 and float(energy.precision) == 1.0
