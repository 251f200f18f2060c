// Stand-in for FMath.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Core/Math/FMath
#pragma once

struct FMath
{
	template <typename Type>
	static Type Min(Type A, Type B)
	{
		return A < B ? A : B;
	}
	template <typename Type>
	static Type Max(Type A, Type B)
	{
		return A < B ? B : A;
	}
	template <typename Type>
	static Type Clamp(Type Value, Type Low, Type High)
	{
		return Min(Max(Value, Low), High);
	}
};
