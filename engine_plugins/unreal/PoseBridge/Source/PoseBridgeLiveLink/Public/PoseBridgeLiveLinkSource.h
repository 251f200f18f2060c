// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "CoreMinimal.h"
#include "ILiveLinkSource.h"

class ILiveLinkClient;
class UPoseBridgeAvatarComponent;
class UPoseBridgeSubsystem;

/**
 * Avatars of the running game as Live Link animation subjects: one for each avatar ("Player"), which is where the
 * avatar is now, and one for each of its futures ("Player_Future1", the most probable one, and so on), which is where
 * it would be a set time ahead (Project Settings > Plugins > PoseBridge). Each carries its probability as the property
 * "Probability".
 *
 * Needs poses of layout mediapipe.pose.33. There are subjects while a game, or Play in Editor, runs.
 */
class POSEBRIDGELIVELINK_API FPoseBridgeLiveLinkSource : public ILiveLinkSource
{
public:
	//~ Begin ILiveLinkSource Interface
	virtual void ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid) override;
	virtual void Update() override;
	virtual bool IsSourceStillValid() const override;
	virtual bool RequestSourceShutdown() override;
	virtual FText GetSourceType() const override;
	virtual FText GetSourceMachineName() const override;
	virtual FText GetSourceStatus() const override;
	//~ End ILiveLinkSource Interface

private:
	/** The subsystem of the game that runs; null if none does. */
	static UPoseBridgeSubsystem* FindSubsystem();

	/** Push one subject's frame, and its skeleton if it is new. False if there is no pose yet. */
	bool PushSubject(FName SubjectName, UPoseBridgeAvatarComponent& Avatar, float SecondsAhead, int32 FutureIndex);
	void PushSkeleton(FName SubjectName);
	void RemoveSubjectsExcept(const TSet<FName>& Kept);

	ILiveLinkClient* Client = nullptr;
	FGuid SourceGuid;
	/** Subjects that have a skeleton. */
	TSet<FName> Subjects;
	bool bGameIsRunning = false;
};
