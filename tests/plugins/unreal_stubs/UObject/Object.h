// Stand-in for UObject, pointers to objects and default objects.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/objects-in-unreal-engine
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/CoreUObject/UObject/TWeakObjectPtr
#pragma once

#include "CoreMinimal.h"
#include "UObject/ObjectMacros.h"

#include <cstddef>
#include <memory>

class UClass;
class UWorld;

/** Knows how to make one of the struct that it describes. */
class UScriptStruct
{
public:
	std::shared_ptr<void> (*StandInMake)() = nullptr;
};

class UObject
{
public:
	virtual ~UObject() = default;
	virtual UWorld* GetWorld() const
	{
		return StandInWorld;
	}
	FString GetName() const
	{
		return StandInName;
	}
	bool IsTemplate() const
	{
		return false;
	}

	UWorld* StandInWorld = nullptr;
	FString StandInName = TEXT("Object");
	bool bStandInDestroyed = false;
};

inline bool IsValid(const UObject* Object)
{
	return Object != nullptr && !Object->bStandInDestroyed;
}

/** The one default object, to be changed by tests. */
template <typename ObjectType>
ObjectType& StandInDefault()
{
	static_cast<void>(&ObjectType::StaticClass);
	static ObjectType Object;
	return Object;
}

template <typename ObjectType>
const ObjectType* GetDefault()
{
	return &StandInDefault<ObjectType>();
}

template <typename ObjectType>
class TObjectPtr
{
public:
	TObjectPtr(std::nullptr_t = nullptr)
	{
	}
	TObjectPtr(ObjectType* InObject)
		: Object(InObject)
	{
	}
	ObjectType* Get() const
	{
		return Object;
	}
	ObjectType& operator*() const
	{
		return *Object;
	}
	ObjectType* operator->() const
	{
		return Object;
	}
	operator ObjectType*() const
	{
		return Object;
	}

private:
	ObjectType* Object = nullptr;
};

template <typename ObjectType>
class TWeakObjectPtr
{
public:
	TWeakObjectPtr(std::nullptr_t = nullptr)
	{
	}
	TWeakObjectPtr(ObjectType* InObject)
		: Object(InObject)
	{
	}
	TWeakObjectPtr& operator=(ObjectType* InObject)
	{
		Object = InObject;
		return *this;
	}
	ObjectType* Get() const
	{
		return ::IsValid(Object) ? Object : nullptr;
	}
	bool IsValid() const
	{
		return Get() != nullptr;
	}

private:
	ObjectType* Object = nullptr;
};

template <typename ClassType>
class TSubclassOf
{
public:
	TSubclassOf(UClass* InClass)
		: Class(InClass)
	{
	}

private:
	[[maybe_unused]] UClass* Class;
};
