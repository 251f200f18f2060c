// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "PoseBridgeAxes.h"
#include "PoseBridgeC.h"

#include <cstddef>
#include <cstdint>

namespace PoseBridgeCore
{
/** Reads the arrays of a forecast with the indices checked. Does not own the forecast. */
class FForecastView
{
public:
	explicit FForecastView(const posebridge_forecast& InForecast)
		: Forecast(InForecast)
	{
	}

	std::uint32_t NumFutures() const
	{
		return Forecast.positions != nullptr && Forecast.probabilities != nullptr ? Forecast.futures : 0;
	}

	std::uint32_t NumSteps() const
	{
		return Forecast.steps;
	}

	std::uint32_t NumLandmarks() const
	{
		return Forecast.landmarks;
	}

	bool HasRoots() const
	{
		return Forecast.roots != nullptr;
	}

	/** 0 for a future that is not there. */
	float Probability(std::uint32_t Future) const
	{
		return Future < NumFutures() ? Forecast.probabilities[Future] : 0.0f;
	}

	/** The same for a future that continues one of the previous forecast; 0 for a future that is not there. */
	std::uint32_t ModeId(std::uint32_t Future) const
	{
		return Future < NumFutures() && Forecast.mode_ids != nullptr ? Forecast.mode_ids[Future] : 0;
	}

	/** Step 0 is one step after the newest observed frame. */
	std::uint64_t StepMicroseconds(std::uint32_t Step) const
	{
		return Forecast.based_on_timestamp_us + (std::uint64_t{Step} + 1) * Forecast.step_us;
	}

	/** Centimetres from the middle of the hips; false if there is no such future, step or landmark. */
	bool Position(std::uint32_t Future, std::uint32_t Step, std::uint32_t Landmark, FPoint& Out) const
	{
		if (Future >= NumFutures() || Step >= NumSteps() || Landmark >= NumLandmarks())
		{
			return false;
		}
		const std::size_t Index = (std::size_t{Future} * NumSteps() + Step) * NumLandmarks() + Landmark;
		Out = PointAt(Forecast.positions, Index);
		return true;
	}

	/** The middle of the hips, centimetres; false if there is no such future or step, or the frames had no root. */
	bool Root(std::uint32_t Future, std::uint32_t Step, FPoint& Out) const
	{
		if (Future >= NumFutures() || Step >= NumSteps() || !HasRoots())
		{
			return false;
		}
		Out = PointAt(Forecast.roots, std::size_t{Future} * NumSteps() + Step);
		return true;
	}

	/**
	 * Where a landmark of one future is at a time, as this forecast alone has it: linear between steps, held before the
	 * first and after the last one. (posebridge_pose_at also passes smoothly from one forecast to the next.)
	 */
	bool PositionAt(std::uint32_t Future, std::uint64_t TimeMicroseconds, std::uint32_t Landmark, FPoint& Out) const
	{
		FSpan Span;
		FPoint Before;
		FPoint After;
		if (!FindSpan(TimeMicroseconds, Span) || !Position(Future, Span.Step, Landmark, Before) ||
			!Position(Future, Span.NextStep, Landmark, After))
		{
			return false;
		}
		Out = Lerp(Before, After, Span.Alpha);
		return true;
	}

	/** Root mean square distance of everything that was drawn from its mean, centimetres; 0 where there is none. */
	float Spread(std::uint32_t Step, std::uint32_t Landmark) const
	{
		if (Forecast.spread == nullptr || Step >= NumSteps() || Landmark >= NumLandmarks())
		{
			return 0.0f;
		}
		return Forecast.spread[std::size_t{Step} * NumLandmarks() + Landmark];
	}

private:
	/** The two steps around a time, and the part of the way between them. */
	struct FSpan
	{
		std::uint32_t Step = 0;
		std::uint32_t NextStep = 0;
		float Alpha = 0.0f;
	};

	bool FindSpan(std::uint64_t TimeMicroseconds, FSpan& Out) const
	{
		if (NumSteps() == 0 || Forecast.step_us == 0)
		{
			return false;
		}
		const std::uint64_t First = StepMicroseconds(0);
		if (TimeMicroseconds <= First)
		{
			Out = {0, 0, 0.0f};
			return true;
		}
		const std::uint64_t Since = TimeMicroseconds - First;
		const std::uint64_t Step = Since / Forecast.step_us;
		const std::uint32_t Last = NumSteps() - 1;
		if (Step >= Last)
		{
			Out = {Last, Last, 0.0f};
			return true;
		}
		const std::uint64_t Rest = Since % Forecast.step_us;
		Out.Step = static_cast<std::uint32_t>(Step);
		Out.NextStep = Out.Step + 1;
		Out.Alpha = static_cast<float>(static_cast<double>(Rest) / static_cast<double>(Forecast.step_us));
		return true;
	}

	static FPoint PointAt(const float* Values, std::size_t Index)
	{
		return {Values[3 * Index], Values[3 * Index + 1], Values[3 * Index + 2]};
	}

	const posebridge_forecast& Forecast;
};
} // namespace PoseBridgeCore
