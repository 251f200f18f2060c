// Stand-in for the data that goes to Live Link.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/LiveLinkInterface/FLiveLinkSubjectKey
// https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/LiveLinkInterface/FLiveLinkFrameDataStruct
#pragma once

#include "Misc/Guid.h"
#include "UObject/Object.h"

#include <memory>
#include <type_traits>

struct FLiveLinkSubjectName
{
	FLiveLinkSubjectName(FName InName)
		: Name(InName)
	{
	}

	FName Name;
};

struct FLiveLinkSubjectKey
{
	FLiveLinkSubjectKey(FGuid InSource, FName InSubjectName)
		: Source(InSource)
		, SubjectName(InSubjectName)
	{
	}

	FGuid Source;
	FLiveLinkSubjectName SubjectName;
};

struct FLiveLinkWorldTime
{
	FLiveLinkWorldTime() = default;
	FLiveLinkWorldTime(const double InTime)
		: StandInTime(InTime)
	{
	}

	double StandInTime = 0.0;
};

struct FLiveLinkBaseStaticData
{
	TArray<FName> PropertyNames;
};

struct FLiveLinkBaseFrameData
{
	FLiveLinkWorldTime WorldTime;
	TArray<float> PropertyValues;
};

template <typename BaseType>
class TStandInLiveLinkData
{
public:
	explicit TStandInLiveLinkData(const UScriptStruct* Type)
		: Data(Type->StandInMake())
	{
	}
	TStandInLiveLinkData(TStandInLiveLinkData&& Other) = default;
	TStandInLiveLinkData(const TStandInLiveLinkData&) = delete;
	TStandInLiveLinkData& operator=(const TStandInLiveLinkData&) = delete;
	template <typename Type>
	requires std::is_base_of_v<BaseType, Type> Type* Cast()
	{
		return static_cast<Type*>(Data.get());
	}

private:
	std::shared_ptr<void> Data;
};

using FLiveLinkStaticDataStruct = TStandInLiveLinkData<FLiveLinkBaseStaticData>;
using FLiveLinkFrameDataStruct = TStandInLiveLinkData<FLiveLinkBaseFrameData>;
