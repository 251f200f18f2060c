// Stand-in for FTickableGameObject.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Engine/FTickableGameObject
#pragma once

#include "CoreTypes.h"

class UWorld;

struct TStatId
{
};

enum class ETickableTickType : uint8
{
	Conditional,
	Always,
	Never
};

class FTickableGameObject
{
public:
	virtual ~FTickableGameObject() = default;
	virtual void Tick(float DeltaTime) = 0;
	virtual TStatId GetStatId() const = 0;
	virtual ETickableTickType GetTickableTickType() const
	{
		return ETickableTickType::Conditional;
	}
	virtual bool IsTickable() const
	{
		return true;
	}
	virtual bool IsTickableWhenPaused() const
	{
		return false;
	}
	virtual bool IsTickableInEditor() const
	{
		return false;
	}
	virtual UWorld* GetTickableGameObjectWorld() const
	{
		return nullptr;
	}
};

#define RETURN_QUICK_DECLARE_CYCLE_STAT(StatId, Group) return TStatId()
