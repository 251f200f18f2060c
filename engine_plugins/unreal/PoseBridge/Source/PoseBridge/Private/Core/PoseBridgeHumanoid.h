// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "PoseBridgeAxes.h"
#include "PoseBridgeC.h"

#include <array>
#include <cstddef>

namespace PoseBridgeCore
{
inline constexpr std::size_t HumanoidJoints = POSEBRIDGE_HUMANOID_JOINTS;

using FJointPoints = std::array<FPoint, HumanoidJoints>;
using FJointRotations = std::array<posebridge_quaternion, HumanoidJoints>;

/** Parts of the way from the middle of the hips to the middle of the shoulders at which spine and chest stand. */
inline constexpr float SpineHeight = 1.0f / 3.0f;
inline constexpr float ChestHeight = 2.0f / 3.0f;

constexpr FPoint Middle(FPoint A, FPoint B)
{
	return 0.5f * (A + B);
}

/**
 * Where the joints of the humanoid skeleton are, from the 33 landmarks of "mediapipe.pose.33" in the same axes and
 * units. Limbs stand on their landmarks, the neck between the shoulders, the head between the ears.
 */
inline FJointPoints JointPositions(const std::array<FPoint, 33>& Landmarks)
{
	const FPoint Hips = Middle(Landmarks[23], Landmarks[24]);
	const FPoint Shoulders = Middle(Landmarks[11], Landmarks[12]);
	FJointPoints Joints;
	Joints[POSEBRIDGE_JOINT_HIPS] = Hips;
	Joints[POSEBRIDGE_JOINT_SPINE] = Lerp(Hips, Shoulders, SpineHeight);
	Joints[POSEBRIDGE_JOINT_CHEST] = Lerp(Hips, Shoulders, ChestHeight);
	Joints[POSEBRIDGE_JOINT_NECK] = Shoulders;
	Joints[POSEBRIDGE_JOINT_HEAD] = Middle(Landmarks[7], Landmarks[8]);
	Joints[POSEBRIDGE_JOINT_LEFT_UPPER_ARM] = Landmarks[11];
	Joints[POSEBRIDGE_JOINT_LEFT_LOWER_ARM] = Landmarks[13];
	Joints[POSEBRIDGE_JOINT_LEFT_HAND] = Landmarks[15];
	Joints[POSEBRIDGE_JOINT_RIGHT_UPPER_ARM] = Landmarks[12];
	Joints[POSEBRIDGE_JOINT_RIGHT_LOWER_ARM] = Landmarks[14];
	Joints[POSEBRIDGE_JOINT_RIGHT_HAND] = Landmarks[16];
	Joints[POSEBRIDGE_JOINT_LEFT_UPPER_LEG] = Landmarks[23];
	Joints[POSEBRIDGE_JOINT_LEFT_LOWER_LEG] = Landmarks[25];
	Joints[POSEBRIDGE_JOINT_LEFT_FOOT] = Landmarks[27];
	Joints[POSEBRIDGE_JOINT_RIGHT_UPPER_LEG] = Landmarks[24];
	Joints[POSEBRIDGE_JOINT_RIGHT_LOWER_LEG] = Landmarks[26];
	Joints[POSEBRIDGE_JOINT_RIGHT_FOOT] = Landmarks[28];
	return Joints;
}

constexpr FPoint Cross(FPoint A, FPoint B)
{
	return {A.Y * B.Z - A.Z * B.Y, A.Z * B.X - A.X * B.Z, A.X * B.Y - A.Y * B.X};
}

/** A point turned by a unit quaternion: p + 2w (v x p) + 2 v x (v x p). */
constexpr FPoint Rotate(posebridge_quaternion Rotation, FPoint Point)
{
	const FPoint Axis{Rotation.x, Rotation.y, Rotation.z};
	const FPoint Once = 2.0f * Cross(Axis, Point);
	return Point + Rotation.w * Once + Cross(Axis, Once);
}

constexpr posebridge_quaternion Conjugate(posebridge_quaternion Rotation)
{
	return {-Rotation.x, -Rotation.y, -Rotation.z, Rotation.w};
}

/**
 * Translation of each joint relative to its parent, as engines keep it: turned back by the parent's rotation. With them
 * the joints come to stand exactly where the landmarks are. The hips' is their position.
 *
 * Parent(joint) gives the number of the parent, less than 0 for the hips; GlobalRotations are relative to the world.
 */
template <typename ParentFunctionType>
FJointPoints LocalTranslations(
	const FJointPoints& Positions, const FJointRotations& GlobalRotations, ParentFunctionType Parent)
{
	FJointPoints Local;
	for (std::size_t Joint = 0; Joint < HumanoidJoints; ++Joint)
	{
		const int ParentJoint = Parent(static_cast<int>(Joint));
		if (ParentJoint < 0)
		{
			Local[Joint] = Positions[Joint];
			continue;
		}
		const std::size_t ParentIndex = static_cast<std::size_t>(ParentJoint);
		Local[Joint] = Rotate(Conjugate(GlobalRotations[ParentIndex]), Positions[Joint] - Positions[ParentIndex]);
	}
	return Local;
}
} // namespace PoseBridgeCore
