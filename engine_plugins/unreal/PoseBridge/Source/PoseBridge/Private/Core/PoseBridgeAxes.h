// SPDX-License-Identifier: Apache-2.0

#pragma once

namespace PoseBridgeCore
{
/** A position; which axes and units, the name of the variable says. */
struct FPoint
{
	float X = 0.0f;
	float Y = 0.0f;
	float Z = 0.0f;
};

constexpr FPoint operator+(FPoint A, FPoint B)
{
	return {A.X + B.X, A.Y + B.Y, A.Z + B.Z};
}

constexpr FPoint operator-(FPoint A, FPoint B)
{
	return {A.X - B.X, A.Y - B.Y, A.Z - B.Z};
}

constexpr FPoint operator*(float Factor, FPoint Point)
{
	return {Factor * Point.X, Factor * Point.Y, Factor * Point.Z};
}

/** A part of the way from A (0) to B (1). */
constexpr FPoint Lerp(FPoint A, FPoint B, float Alpha)
{
	return A + Alpha * (B - A);
}

inline constexpr float CentimetresPerMetre = 100.0f;

/**
 * From MediaPipe's world landmarks (metres; x to the image's right, y down, z away from the camera) to Unreal
 * (centimetres; x forward, y right, z up; the camera looks along +x). One axis changes its sign and the others trade
 * places, which turns a right-handed system into a left-handed one, so that a left arm stays a left arm. Takes any
 * point with X, Y and Z.
 */
template <typename PointType>
constexpr PointType UnrealFromMediaPipe(const PointType& Metres)
{
	return PointType{CentimetresPerMetre * Metres.Z, CentimetresPerMetre * Metres.X, -CentimetresPerMetre * Metres.Y};
}

/** Inverse of UnrealFromMediaPipe: centimetres to metres. */
template <typename PointType>
constexpr PointType MediaPipeFromUnreal(const PointType& Centimetres)
{
	return PointType{
		Centimetres.Y / CentimetresPerMetre, -Centimetres.Z / CentimetresPerMetre, Centimetres.X / CentimetresPerMetre};
}
} // namespace PoseBridgeCore
