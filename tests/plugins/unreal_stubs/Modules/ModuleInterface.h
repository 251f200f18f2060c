// Stand-in for IModuleInterface.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/unreal-engine-modules
#pragma once

class IModuleInterface
{
public:
	virtual ~IModuleInterface() = default;
	virtual void StartupModule()
	{
	}
	virtual void ShutdownModule()
	{
	}
};
