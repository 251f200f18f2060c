// Stand-in for ULiveLinkAnimationRole.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/LiveLinkInterface/Roles/ULiveLinkAnimationRole
#pragma once

#include "ILiveLinkClient.h"

class ULiveLinkAnimationRole : public ULiveLinkRole
{
public:
	static UClass* StaticClass()
	{
		return nullptr;
	}
};
