// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "CoreMinimal.h"
#include "PoseBridgeTypes.h"
#include "Subsystems/GameInstanceSubsystem.h"
#include "Tickable.h"
#include "PoseBridgeSubsystem.generated.h"

class UPoseBridgeAvatarComponent;
struct FPoseBridgeConnection;

DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(FPoseBridgeStateChanged, EPoseBridgeState, State, const FString&, Message);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FPoseBridgeAlertChanged, const FPoseBridgeAlert&, Alert);

/**
 * The connection to the PoseBridge server. One for each game instance: begins with the game or Play in Editor and ends
 * with it. All of it is used from the game thread, and no call waits for the network.
 */
UCLASS()
class POSEBRIDGE_API UPoseBridgeSubsystem : public UGameInstanceSubsystem, public FTickableGameObject
{
	GENERATED_BODY()

public:
	//~ Begin USubsystem Interface
	virtual void Initialize(FSubsystemCollectionBase& Collection) override;
	virtual void Deinitialize() override;
	//~ End USubsystem Interface

	//~ Begin FTickableGameObject Interface
	virtual void Tick(float DeltaTime) override;
	virtual ETickableTickType GetTickableTickType() const override;
	virtual bool IsTickable() const override;
	virtual bool IsTickableWhenPaused() const override;
	virtual UWorld* GetTickableGameObjectWorld() const override;
	virtual TStatId GetStatId() const override;
	//~ End FTickableGameObject Interface

	/**
	 * Begin to connect to the server of the project settings, and keep at it. Returns at once; see On State
	 * Changed.
	 */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge")
	bool Connect();

	/** The same for another server, for example tcp://192.168.0.10:50552. Ends a connection that there is. */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge")
	bool ConnectTo(const FString& Endpoint);

	/** End the connection and stay away until Connect is called. */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge")
	void Disconnect();

	/** Where the connection stands. */
	UFUNCTION(BlueprintPure, Category = "PoseBridge")
	EPoseBridgeState GetState() const;

	/** The newest error in words; empty if there was none. */
	UFUNCTION(BlueprintPure, Category = "PoseBridge")
	FString GetLastError() const;

	/** What the server has accepted; all zero before the first connection. */
	UFUNCTION(BlueprintPure, Category = "PoseBridge")
	FPoseBridgeSession GetSession() const;

	/** Counters of the connection. */
	UFUNCTION(BlueprintPure, Category = "PoseBridge")
	FPoseBridgeStats GetStats() const;

	/** Seconds of the clock that frames are stamped with if they carry no time of their own. */
	UFUNCTION(BlueprintPure, Category = "PoseBridge")
	double GetClockSeconds() const;

	/**
	 * Rotations and positions of a humanoid skeleton for a pose of layout mediapipe.pose.33, each relative to its
	 * parent joint. False if the pose has another number of landmarks or no extent. Names and parents: see Get Humanoid
	 * Joints.
	 */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge")
	static bool GetHumanoidTransforms(const FPoseBridgePose& Pose, TArray<FTransform>& OutTransforms);

	/** Names of the humanoid skeleton's joints, and the number of each one's parent (-1 for the hips). */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge")
	static bool GetHumanoidJoints(TArray<FName>& OutNames, TArray<int32>& OutParents);

	/** The avatars of this game that are playing. */
	UFUNCTION(BlueprintPure, Category = "PoseBridge")
	TArray<UPoseBridgeAvatarComponent*> GetAvatars() const;

	/** Called when the connection has a new state, with a sentence that says what happened. */
	UPROPERTY(BlueprintAssignable, Category = "PoseBridge")
	FPoseBridgeStateChanged OnStateChanged;

	/** Called once for each change of an alert, of any avatar. */
	UPROPERTY(BlueprintAssignable, Category = "PoseBridge")
	FPoseBridgeAlertChanged OnAlert;

private:
	friend class UPoseBridgeAvatarComponent;

	/** Called by the component when it begins and ends to play. */
	void RegisterAvatar(UPoseBridgeAvatarComponent& Avatar);
	void UnregisterAvatar(UPoseBridgeAvatarComponent& Avatar);

	bool Open(const FString& Endpoint);
	void Close();
	void TickConnection();
	void ReportState(EPoseBridgeState NewState, const FString& Message);
	void ReportError(const FString& Message);

	/** The library's side; null while there is no connection. Its type stays out of this header. */
	TSharedPtr<FPoseBridgeConnection> Connection;

	UPROPERTY(Transient)
	TArray<TObjectPtr<UPoseBridgeAvatarComponent>> Avatars;

	EPoseBridgeState State = EPoseBridgeState::Disconnected;
	FString LastError;
};
