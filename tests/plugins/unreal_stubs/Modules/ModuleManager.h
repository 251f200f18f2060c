// Stand-in for IMPLEMENT_MODULE.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/unreal-engine-modules
#pragma once

#include "Modules/ModuleInterface.h"

class FDefaultModuleImpl : public IModuleInterface
{
};

#define IMPLEMENT_MODULE(ModuleClass, ModuleName) \
	extern "C" IModuleInterface* InitializeModule##ModuleName(); \
	extern "C" IModuleInterface* InitializeModule##ModuleName() \
	{ \
		return new ModuleClass(); \
	}
