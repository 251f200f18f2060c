// SPDX-License-Identifier: Apache-2.0

#include "PoseBridgeLiveLinkSource.h"

#include "Engine/Engine.h"
#include "Engine/GameInstance.h"
#include "HAL/PlatformTime.h"
#include "ILiveLinkClient.h"
#include "LiveLinkTypes.h"
#include "PoseBridgeAvatarComponent.h"
#include "PoseBridgeSettings.h"
#include "PoseBridgeSubsystem.h"
#include "Roles/LiveLinkAnimationRole.h"
#include "Roles/LiveLinkAnimationTypes.h"

#define LOCTEXT_NAMESPACE "PoseBridgeLiveLink"

void FPoseBridgeLiveLinkSource::ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid)
{
	Client = InClient;
	SourceGuid = InSourceGuid;
}

void FPoseBridgeLiveLinkSource::Update()
{
	if (Client == nullptr)
	{
		return;
	}
	TSet<FName> Kept;
	const UPoseBridgeSubsystem* Subsystem = FindSubsystem();
	bGameIsRunning = Subsystem != nullptr;
	if (Subsystem != nullptr)
	{
		const float SecondsAhead = GetDefault<UPoseBridgeSettings>()->LiveLinkSecondsAhead;
		for (UPoseBridgeAvatarComponent* Avatar : Subsystem->GetAvatars())
		{
			const FString Name = Avatar->GetRegisteredId();
			const FName Present(*Name);
			if (PushSubject(Present, *Avatar, 0.0f, UPoseBridgeAvatarComponent::MeanFuture))
			{
				Kept.Add(Present);
			}
			const int32 FutureCount = Avatar->GetProbabilities().Num();
			for (int32 Future = 0; Future < FutureCount; ++Future)
			{
				const FName Subject(*FString::Printf(TEXT("%s_Future%d"), *Name, Future + 1));
				if (PushSubject(Subject, *Avatar, SecondsAhead, Future))
				{
					Kept.Add(Subject);
				}
			}
		}
	}
	RemoveSubjectsExcept(Kept);
}

bool FPoseBridgeLiveLinkSource::IsSourceStillValid() const
{
	return Client != nullptr;
}

bool FPoseBridgeLiveLinkSource::RequestSourceShutdown()
{
	// Live Link forgets the subjects of a source that it removes.
	Client = nullptr;
	Subjects.Empty();
	return true;
}

FText FPoseBridgeLiveLinkSource::GetSourceType() const
{
	return LOCTEXT("SourceType", "PoseBridge");
}

FText FPoseBridgeLiveLinkSource::GetSourceMachineName() const
{
	return FText::FromString(GetDefault<UPoseBridgeSettings>()->Endpoint);
}

FText FPoseBridgeLiveLinkSource::GetSourceStatus() const
{
	if (Client == nullptr)
	{
		return LOCTEXT("StatusRemoved", "Removed");
	}
	if (!bGameIsRunning)
	{
		return LOCTEXT("StatusNoGame", "Waiting for Play");
	}
	return Subjects.Num() > 0 ? LOCTEXT("StatusActive", "Active") : LOCTEXT("StatusNoPose", "Waiting for poses");
}

UPoseBridgeSubsystem* FPoseBridgeLiveLinkSource::FindSubsystem()
{
	if (GEngine == nullptr)
	{
		return nullptr;
	}
	for (const FWorldContext& Context : GEngine->GetWorldContexts())
	{
		if (Context.OwningGameInstance == nullptr)
		{
			continue;
		}
		if (UPoseBridgeSubsystem* Subsystem = Context.OwningGameInstance->GetSubsystem<UPoseBridgeSubsystem>())
		{
			return Subsystem;
		}
	}
	return nullptr;
}

bool FPoseBridgeLiveLinkSource::PushSubject(
	FName SubjectName, UPoseBridgeAvatarComponent& Avatar, float SecondsAhead, int32 FutureIndex)
{
	FPoseBridgePose Pose;
	TArray<FTransform> Transforms;
	if (!Avatar.GetPoseAhead(SecondsAhead, FutureIndex, Pose) ||
		!UPoseBridgeSubsystem::GetHumanoidTransforms(Pose, Transforms))
	{
		// What is there already keeps its last frame: one pose that has no rotations is no reason to remove a subject.
		return Subjects.Contains(SubjectName);
	}
	if (!Subjects.Contains(SubjectName))
	{
		PushSkeleton(SubjectName);
		Subjects.Add(SubjectName);
	}
	FLiveLinkFrameDataStruct Data(FLiveLinkAnimationFrameData::StaticStruct());
	FLiveLinkAnimationFrameData& Frame = *Data.Cast<FLiveLinkAnimationFrameData>();
	Frame.WorldTime = FPlatformTime::Seconds();
	Frame.Transforms = MoveTemp(Transforms);
	Frame.PropertyValues.Add(Pose.Probability);
	Client->PushSubjectFrameData_AnyThread(FLiveLinkSubjectKey(SourceGuid, SubjectName), MoveTemp(Data));
	return true;
}

void FPoseBridgeLiveLinkSource::PushSkeleton(FName SubjectName)
{
	FLiveLinkStaticDataStruct Data(FLiveLinkSkeletonStaticData::StaticStruct());
	FLiveLinkSkeletonStaticData& Skeleton = *Data.Cast<FLiveLinkSkeletonStaticData>();
	TArray<FName> Names;
	TArray<int32> Parents;
	UPoseBridgeSubsystem::GetHumanoidJoints(Names, Parents);
	Skeleton.SetBoneNames(Names);
	Skeleton.SetBoneParents(Parents);
	Skeleton.PropertyNames.Add(FName(TEXT("Probability")));
	Client->PushSubjectStaticData_AnyThread(
		FLiveLinkSubjectKey(SourceGuid, SubjectName), ULiveLinkAnimationRole::StaticClass(), MoveTemp(Data));
}

void FPoseBridgeLiveLinkSource::RemoveSubjectsExcept(const TSet<FName>& Kept)
{
	for (const FName& Subject : Subjects)
	{
		if (!Kept.Contains(Subject))
		{
			Client->RemoveSubject_AnyThread(FLiveLinkSubjectKey(SourceGuid, Subject));
		}
	}
	Subjects = Subjects.Intersect(Kept);
}

#undef LOCTEXT_NAMESPACE
