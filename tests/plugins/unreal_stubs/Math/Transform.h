// Stand-in for FVector, FQuat, FTransform and FColor (double precision since Unreal 5). Scales are 1.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/large-world-coordinates-in-unreal-engine-5
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Core/Math/FTransform
#pragma once

#include "CoreTypes.h"

#include <cmath>

struct FVector
{
	double X = 0.0;
	double Y = 0.0;
	double Z = 0.0;

	FVector() = default;
	FVector(double InX, double InY, double InZ)
		: X(InX)
		, Y(InY)
		, Z(InZ)
	{
	}
	bool Equals(const FVector& Other, double Tolerance = 1e-4) const
	{
		return std::abs(X - Other.X) <= Tolerance && std::abs(Y - Other.Y) <= Tolerance &&
			std::abs(Z - Other.Z) <= Tolerance;
	}
	FVector operator+(const FVector& Other) const
	{
		return FVector(X + Other.X, Y + Other.Y, Z + Other.Z);
	}
	FVector operator*(double Factor) const
	{
		return FVector(Factor * X, Factor * Y, Factor * Z);
	}
	FVector operator^(const FVector& Other) const
	{
		return FVector(Y * Other.Z - Z * Other.Y, Z * Other.X - X * Other.Z, X * Other.Y - Y * Other.X);
	}
	static const FVector ZeroVector;
	static const FVector OneVector;
};
inline const FVector FVector::ZeroVector{};
inline const FVector FVector::OneVector{1.0, 1.0, 1.0};

struct FQuat
{
	double X = 0.0;
	double Y = 0.0;
	double Z = 0.0;
	double W = 1.0;

	FQuat() = default;
	FQuat(double InX, double InY, double InZ, double InW)
		: X(InX)
		, Y(InY)
		, Z(InZ)
		, W(InW)
	{
	}
	FVector RotateVector(const FVector& Vector) const
	{
		const FVector Axis(X, Y, Z);
		const FVector Once = (Axis ^ Vector) * 2.0;
		return Vector + Once * W + (Axis ^ Once);
	}
	/** First the right one, then this one. */
	FQuat operator*(const FQuat& Other) const
	{
		return FQuat(W * Other.X + X * Other.W + Y * Other.Z - Z * Other.Y,
			W * Other.Y - X * Other.Z + Y * Other.W + Z * Other.X,
			W * Other.Z + X * Other.Y - Y * Other.X + Z * Other.W,
			W * Other.W - X * Other.X - Y * Other.Y - Z * Other.Z);
	}
	static const FQuat Identity;
};
inline const FQuat FQuat::Identity{};

struct FTransform
{
	FTransform() = default;
	FTransform(const FQuat& InRotation, const FVector& InTranslation, const FVector& /*Scale*/ = FVector::OneVector)
		: Rotation(InRotation)
		, Translation(InTranslation)
	{
	}
	FVector TransformPosition(const FVector& Position) const
	{
		return Rotation.RotateVector(Position) + Translation;
	}
	FVector GetLocation() const
	{
		return Translation;
	}
	FQuat GetRotation() const
	{
		return Rotation;
	}
	void AddToTranslation(const FVector& Delta)
	{
		Translation = Translation + Delta;
	}
	/** First the left one, then the right one: local * parent. */
	FTransform operator*(const FTransform& Parent) const
	{
		return FTransform(Parent.Rotation * Rotation, Parent.TransformPosition(Translation));
	}

private:
	FQuat Rotation;
	FVector Translation;
};

struct FColor
{
	uint8 B = 0;
	uint8 G = 0;
	uint8 R = 0;
	uint8 A = 0;

	FColor() = default;
	FColor(uint8 InR, uint8 InG, uint8 InB, uint8 InA = 255)
		: B(InB)
		, G(InG)
		, R(InR)
		, A(InA)
	{
	}
	static const FColor Red;
};
inline const FColor FColor::Red{255, 0, 0};
