// Stand-in for AActor.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/actors-in-unreal-engine
#pragma once

#include "UObject/Object.h"

class AActor : public UObject
{
};
