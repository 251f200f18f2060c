// Stand-in for MoveTemp.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Core/Templates/MoveTemp
#pragma once

#include <type_traits>

template <typename Type>
constexpr std::remove_reference_t<Type>&& MoveTemp(Type&& Object)
{
	static_assert(std::is_lvalue_reference_v<Type>, "MoveTemp of something that is temporary already");
	static_assert(!std::is_const_v<std::remove_reference_t<Type>>, "MoveTemp of something that is const");
	return static_cast<std::remove_reference_t<Type>&&>(Object);
}
