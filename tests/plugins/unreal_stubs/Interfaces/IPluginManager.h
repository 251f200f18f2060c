// Stand-in for IPluginManager, of the module Projects.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Projects/Interfaces/IPluginManager
#pragma once

#include "CoreMinimal.h"

class IPlugin
{
public:
	const FString& GetBaseDir() const
	{
		return StandInBaseDir;
	}

	FString StandInBaseDir;
};

class IPluginManager
{
public:
	static IPluginManager& Get()
	{
		static IPluginManager Manager;
		return Manager;
	}
	TSharedPtr<IPlugin> FindPlugin(const FString& /*Name*/)
	{
		return StandInPlugin;
	}

	TSharedPtr<IPlugin> StandInPlugin;
};
