// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace PoseBridgeCore
{
/** Two landmarks with a line between them. */
struct FBone
{
	std::uint8_t From;
	std::uint8_t To;
};

inline constexpr char MediaPipePose33LayoutId[] = "mediapipe.pose.33";
inline constexpr std::size_t MediaPipePose33Landmarks = 33;

/** The lines of MediaPipe's pose landmarks. */
inline constexpr std::array<FBone, 35> MediaPipePose33Bones = {{
	{0, 1},
	{1, 2},
	{2, 3},
	{3, 7},
	{0, 4},
	{4, 5},
	{5, 6},
	{6, 8},
	{9, 10},
	{11, 12},
	{11, 13},
	{13, 15},
	{15, 17},
	{15, 19},
	{15, 21},
	{17, 19},
	{12, 14},
	{14, 16},
	{16, 18},
	{16, 20},
	{16, 22},
	{18, 20},
	{11, 23},
	{12, 24},
	{23, 24},
	{23, 25},
	{24, 26},
	{25, 27},
	{26, 28},
	{27, 29},
	{28, 30},
	{29, 31},
	{30, 32},
	{27, 31},
	{28, 32},
}};
} // namespace PoseBridgeCore
