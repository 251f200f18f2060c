// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "Components/SceneComponent.h"
#include "CoreMinimal.h"
#include "PoseBridgeTypes.h"
#include "PoseBridgeAvatarComponent.generated.h"

class UPoseBridgeAvatarComponent;
class UPoseBridgeSubsystem;
struct FPoseBridgeConnection;

DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(
	FPoseBridgeForecastArrived, UPoseBridgeAvatarComponent*, Avatar, int64, ForecastNumber);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(
	FPoseBridgeAvatarAlert, UPoseBridgeAvatarComponent*, Avatar, const FPoseBridgeAlert&, Alert);

/**
 * One tracked body. Send it the landmarks of each frame and ask it where the body will be.
 *
 * All positions are in the component's own axes (X away from the camera, Y right, Z up, centimetres): place and turn
 * the component to place the avatar. Without roots the middle of the hips is where the component is.
 */
UCLASS(ClassGroup = (PoseBridge), meta = (BlueprintSpawnableComponent, DisplayName = "PoseBridge Avatar"))
class POSEBRIDGE_API UPoseBridgeAvatarComponent : public USceneComponent
{
	GENERATED_BODY()

public:
	UPoseBridgeAvatarComponent();

	//~ Begin UActorComponent Interface
	virtual void BeginPlay() override;
	virtual void EndPlay(const EEndPlayReason::Type EndPlayReason) override;
	virtual void TickComponent(
		float DeltaTime, ELevelTick TickType, FActorComponentTickFunction* ThisTickFunction) override;
	//~ End UActorComponent Interface

	/** Future Index that means the mean of all futures, weighted by their probabilities. */
	static constexpr int32 MeanFuture = -1;

	/**
	 * Name of the avatar at the server, 1 to 64 of A-Z a-z 0-9 _ . : - and different for every avatar of the game.
	 * Empty: made from the names of the actor and the component. Read when play begins.
	 */
	UPROPERTY(EditAnywhere, BlueprintReadOnly, Category = "PoseBridge")
	FString AvatarId;

	/**
	 * Send the poses of a built-in figure that stands and waves, 30 a second, to see futures without a camera. Only
	 * with layout mediapipe.pose.33. Do not send poses of your own at the same time.
	 */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "PoseBridge|Debug")
	bool bSendDemoMotion = false;

	/** Draw the futures as stick figures: the more probable, the brighter and thicker. Not in Shipping builds. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "PoseBridge|Debug")
	bool bDrawFutures = false;

	/** How far ahead of now the futures are drawn. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "PoseBridge|Debug",
		meta = (ClampMin = "0", ClampMax = "3", Units = "Seconds"))
	float DrawSecondsAhead = 0.5f;

	/** Color of the drawn futures; its alpha is replaced by each one's probability. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "PoseBridge|Debug")
	FColor DrawColor = FColor(64, 200, 255);

	/**
	 * Send the landmarks of one frame. Returns false, and logs why, if they were not taken.
	 * @param Landmarks One position for each landmark of the layout.
	 * @param Visibility How well each landmark is seen, 0 to 1. Empty: all are seen.
	 * @param Space Axes and units of the positions.
	 * @param CaptureSeconds Time of capture, seconds on your clock, rising. 0: now, on PoseBridge's clock. Use one or
	 * the other.
	 */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge", meta = (AutoCreateRefTerm = "Visibility"))
	bool SendLandmarks(const TArray<FVector>& Landmarks, const TArray<float>& Visibility,
		EPoseBridgeLandmarkSpace Space, double CaptureSeconds = 0.0);

	/**
	 * Send the landmarks of one frame and where the middle of the hips is, so that futures walk as well. Do so for all
	 * frames of an avatar or for none.
	 * @param Landmarks One position for each landmark of the layout.
	 * @param Visibility How well each landmark is seen, 0 to 1. Empty: all are seen.
	 * @param Space Axes and units of the positions and of the root.
	 * @param Root The middle of the hips.
	 * @param CaptureSeconds Time of capture, seconds on your clock, rising. 0: now, on PoseBridge's clock. Use one or
	 * the other.
	 */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge", meta = (AutoCreateRefTerm = "Visibility"))
	bool SendLandmarksWithRoot(const TArray<FVector>& Landmarks, const TArray<float>& Visibility,
		EPoseBridgeLandmarkSpace Space, const FVector& Root, double CaptureSeconds = 0.0);

	/** Tell the server that a frame showed nobody. CaptureSeconds: as for Send Landmarks. */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge")
	bool SendNobodyDetected(double CaptureSeconds = 0.0);

	/**
	 * Where the avatar will be. Moves smoothly from frame to frame and from forecast to forecast. False before the
	 * first forecast.
	 * @param SecondsAhead From now; 0 makes up for the delay of camera and network.
	 * @param FutureIndex 0 is the most probable future; -1 the mean of all.
	 */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge")
	bool GetPoseAhead(float SecondsAhead, int32 FutureIndex, FPoseBridgePose& OutPose);

	/**
	 * Where the avatar is at a time of the clock that its frames are stamped with. False before the first forecast.
	 * @param TimeSeconds On that clock; for frames without a time of their own it is Get Clock Seconds of the
	 * subsystem.
	 * @param FutureIndex 0 is the most probable future; -1 the mean of all.
	 */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge")
	bool GetPoseAtTime(double TimeSeconds, int32 FutureIndex, FPoseBridgePose& OutPose);

	/** All futures of the newest forecast, step by step, with their probabilities. False before the first. */
	UFUNCTION(BlueprintCallable, Category = "PoseBridge")
	bool GetForecast(FPoseBridgeForecast& OutForecast) const;

	/**
	 * Probability of each future of the newest forecast, most probable first; they add up to 1. Empty before the
	 * first.
	 */
	UFUNCTION(BlueprintPure, Category = "PoseBridge")
	TArray<float> GetProbabilities() const;

	/** The name that the avatar has at the server; empty before play begins. */
	UFUNCTION(BlueprintPure, Category = "PoseBridge")
	FString GetRegisteredId() const;

	/** Called when a new forecast has come, at most once a frame. */
	UPROPERTY(BlueprintAssignable, Category = "PoseBridge")
	FPoseBridgeForecastArrived OnForecast;

	/** Called once for each change of an alert of this avatar. */
	UPROPERTY(BlueprintAssignable, Category = "PoseBridge")
	FPoseBridgeAvatarAlert OnAlert;

private:
	friend class UPoseBridgeSubsystem;

	/**
	 * Called by the subsystem when there is a connection, and when it ends (null). False, and why, if the avatar is
	 * not taken.
	 */
	bool Attach(const TSharedPtr<FPoseBridgeConnection>& InConnection, FString& OutError);
	/** Called by the subsystem every frame. */
	void ReportNewForecast();

	bool Send(const TArray<FVector>& Landmarks, const TArray<float>& Visibility, EPoseBridgeLandmarkSpace Space,
		const FVector* Root, double CaptureSeconds);
	bool ReportSendError(const FString& Message);
	bool IsAttached() const;
	void SendDemoMotion(float DeltaTime);
	void DrawFutures();

	TSharedPtr<FPoseBridgeConnection> Connection;
	TWeakObjectPtr<UPoseBridgeSubsystem> Subsystem;
	FString RegisteredId;
	int32 AvatarNumber = -1;
	FString LastSendError;
	FPoseBridgePose DrawnPose;
	double DemoSeconds = 0.0;
	double DemoSentSeconds = 0.0;
};
