// Stand-in for the skeleton and the frames of the animation role.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/LiveLinkInterface/Roles/FLiveLinkSkeletonStaticData
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/LiveLinkInterface/Roles/FLiveLinkAnimationFrameData
#pragma once

#include "LiveLinkTypes.h"

struct FLiveLinkSkeletonStaticData : public FLiveLinkBaseStaticData
{
	static UScriptStruct* StaticStruct()
	{
		static UScriptStruct Type{[]() -> std::shared_ptr<void>
			{
				return std::make_shared<FLiveLinkSkeletonStaticData>();
			}};
		return &Type;
	}
	void SetBoneNames(const TArray<FName>& InBoneNames)
	{
		StandInNames = InBoneNames;
	}
	void SetBoneParents(const TArray<int32> InBoneParents)
	{
		StandInParents = InBoneParents;
	}

	TArray<FName> StandInNames;
	TArray<int32> StandInParents;
};

struct FLiveLinkAnimationFrameData : public FLiveLinkBaseFrameData
{
	static UScriptStruct* StaticStruct()
	{
		static UScriptStruct Type{[]() -> std::shared_ptr<void>
			{
				return std::make_shared<FLiveLinkAnimationFrameData>();
			}};
		return &Type;
	}
	TArray<FTransform> Transforms;
};
