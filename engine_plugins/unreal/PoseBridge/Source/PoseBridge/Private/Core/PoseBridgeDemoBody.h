// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "PoseBridgeAxes.h"

#include <array>
#include <cmath>
#include <cstddef>

namespace PoseBridgeCore
{
/**
 * A body to try things out with: it stands, faces the camera, shifts its weight and waves the left hand. Landmarks of
 * "mediapipe.pose.33" in MediaPipe's axes, metres from the middle of the hips.
 */
inline std::array<FPoint, 33> DemoBody(double Seconds)
{
	constexpr double WaveHz = 0.9;
	constexpr double SwayHz = 0.3;
	constexpr double TwoPi = 6.283185307179586;
	const float Wave = static_cast<float>(std::sin(TwoPi * WaveHz * Seconds));
	const float Sway = 0.04f * static_cast<float>(std::sin(TwoPi * SwayHz * Seconds));

	std::array<FPoint, 33> Body{};
	Body[0] = {Sway, -0.63f, -0.13f};
	for (const std::size_t Side : {std::size_t{0}, std::size_t{1}})
	{
		// Left first, as the landmarks are numbered; the left side of who faces the camera is on the image's right.
		const float Out = Side == 0 ? 1.0f : -1.0f;
		for (const std::size_t Eye : {std::size_t{0}, std::size_t{1}, std::size_t{2}})
		{
			Body[1 + 3 * Side + Eye] = {Sway + Out * (0.015f + 0.015f * static_cast<float>(Eye)), -0.67f, -0.11f};
		}
		Body[7 + Side] = {Sway + 0.07f * Out, -0.65f, -0.02f};
		Body[9 + Side] = {Sway + 0.025f * Out, -0.59f, -0.11f};
		Body[11 + Side] = {Sway + 0.17f * Out, -0.49f, 0.0f};
		Body[13 + Side] = {Sway + 0.24f * Out, -0.22f, 0.02f};
		Body[15 + Side] = {Sway + 0.26f * Out, 0.02f, -0.08f};
		Body[17 + Side] = {Sway + 0.27f * Out, 0.1f, -0.09f};
		Body[19 + Side] = {Sway + 0.26f * Out, 0.11f, -0.11f};
		Body[21 + Side] = {Sway + 0.24f * Out, 0.06f, -0.11f};
		Body[23 + Side] = {0.1f * Out, 0.0f, 0.0f};
		Body[25 + Side] = {0.11f * Out - 0.5f * Sway, 0.41f, -0.03f};
		Body[27 + Side] = {0.12f * Out - Sway, 0.81f, 0.03f};
		Body[29 + Side] = {0.12f * Out - Sway, 0.86f, 0.07f};
		Body[31 + Side] = {0.14f * Out - Sway, 0.88f, -0.12f};
	}

	const FPoint Elbow = {Sway + 0.42f, -0.55f, -0.03f};
	const FPoint Wrist = Elbow + FPoint{0.02f + 0.13f * Wave, -0.22f, -0.04f};
	Body[13] = Elbow;
	Body[15] = Wrist;
	Body[17] = Wrist + FPoint{0.03f, -0.08f, 0.0f};
	Body[19] = Wrist + FPoint{0.0f, -0.09f, 0.0f};
	Body[21] = Wrist + FPoint{-0.03f, -0.05f, 0.0f};
	return Body;
}
} // namespace PoseBridgeCore
