// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "PoseBridgeAxes.h"
#include "PoseBridgeProblem.h"

#include <cmath>
#include <cstddef>
#include <vector>

namespace PoseBridgeCore
{
/** Axes and units in which a game hands landmarks over. */
enum class ELandmarkSpace
{
	/** Metres, x to the image's right, y down, z away from the camera. */
	MediaPipe,
	/** Centimetres, x forward, y right, z up. */
	Unreal
};

/** Puts a frame together as the library takes it: (J, 4) in Unreal's axes, centimetres, then visibility. */
class FFrameBuilder
{
public:
	explicit FFrameBuilder(std::size_t LandmarkCount)
		: Values(LandmarkCount * FloatsPerLandmark, 0.0f)
	{
	}

	/**
	 * Check how much was given: as many positions as the layout has landmarks, and as many visibilities or none (then
	 * all landmarks count as seen).
	 */
	FProblem Begin(std::size_t PositionCount, std::size_t VisibilityCount) const
	{
		const std::size_t Expected = LandmarkCount();
		if (PositionCount != Expected)
		{
			return {"Landmarks", std::to_string(PositionCount) + " positions were given",
				std::to_string(Expected) + ", one for each landmark of the layout"};
		}
		if (VisibilityCount != 0 && VisibilityCount != Expected)
		{
			return {"Visibility", std::to_string(VisibilityCount) + " values were given",
				std::to_string(Expected) + ", one for each landmark, or none"};
		}
		return {};
	}

	/** Set one landmark. A position that is not finite, or NaN for the visibility, counts as unseen. */
	void Set(std::size_t Landmark, FPoint Position, float Visibility, ELandmarkSpace Space)
	{
		const FPoint Point = Space == ELandmarkSpace::MediaPipe ? UnrealFromMediaPipe(Position) : Position;
		float* Out = &Values[Landmark * FloatsPerLandmark];
		const bool bSeen =
			std::isfinite(Point.X) && std::isfinite(Point.Y) && std::isfinite(Point.Z) && Visibility > 0.0f;
		Out[0] = bSeen ? Point.X : 0.0f;
		Out[1] = bSeen ? Point.Y : 0.0f;
		Out[2] = bSeen ? Point.Z : 0.0f;
		Out[3] = !bSeen ? 0.0f : Visibility < 1.0f ? Visibility : 1.0f;
	}

	std::size_t LandmarkCount() const
	{
		return Values.size() / FloatsPerLandmark;
	}

	const float* Data() const
	{
		return Values.data();
	}

private:
	static constexpr std::size_t FloatsPerLandmark = 4;

	std::vector<float> Values;
};
} // namespace PoseBridgeCore
