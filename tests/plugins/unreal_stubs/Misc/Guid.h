// Stand-in for FGuid.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/Core/Misc/FGuid
#pragma once

struct FGuid
{
	int StandInNumber = 0;
};
