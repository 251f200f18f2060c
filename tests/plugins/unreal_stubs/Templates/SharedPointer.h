// Stand-in for TSharedPtr, TSharedRef and MakeShared.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/unreal-smart-pointer-library
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

template <typename ObjectType>
class TSharedRef
{
public:
	explicit TSharedRef(std::shared_ptr<ObjectType> Pointer)
		: StandInPointer(std::move(Pointer))
	{
	}
	template <typename OtherType>
	requires std::is_convertible_v<OtherType*, ObjectType*> TSharedRef(const TSharedRef<OtherType>& Other)
		: StandInPointer(Other.StandInPointer)
	{
	}
	ObjectType& operator*() const
	{
		return *StandInPointer;
	}
	ObjectType* operator->() const
	{
		return StandInPointer.get();
	}

	std::shared_ptr<ObjectType> StandInPointer;
};

template <typename ObjectType>
class TSharedPtr
{
public:
	TSharedPtr(std::nullptr_t = nullptr)
	{
	}
	template <typename OtherType>
	requires std::is_convertible_v<OtherType*, ObjectType*> TSharedPtr(const TSharedPtr<OtherType>& Other)
		: StandInPointer(Other.StandInPointer)
	{
	}
	template <typename OtherType>
	requires std::is_convertible_v<OtherType*, ObjectType*> TSharedPtr(const TSharedRef<OtherType>& Other)
		: StandInPointer(Other.StandInPointer)
	{
	}
	bool IsValid() const
	{
		return StandInPointer != nullptr;
	}
	void Reset()
	{
		StandInPointer.reset();
	}
	ObjectType* Get() const
	{
		return StandInPointer.get();
	}
	ObjectType& operator*() const
	{
		return *StandInPointer;
	}
	ObjectType* operator->() const
	{
		return StandInPointer.get();
	}

	std::shared_ptr<ObjectType> StandInPointer;
};

template <typename ObjectType, typename... ArgumentTypes>
TSharedRef<ObjectType> MakeShared(ArgumentTypes&&... Arguments)
{
	return TSharedRef<ObjectType>(std::make_shared<ObjectType>(std::forward<ArgumentTypes>(Arguments)...));
}
