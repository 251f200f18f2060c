// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "CoreMinimal.h"
#include "PoseBridgeTypes.generated.h"

/** Where the connection to the PoseBridge server stands. */
UENUM(BlueprintType)
enum class EPoseBridgeState : uint8
{
	/** Nothing was asked for yet, or Disconnect was called. */
	Disconnected,
	/** The server is being looked for; goes on by itself until it is found. */
	Connecting,
	/** The server has accepted the connection. */
	Ready,
	/** The server is about to stop; another one will be looked for. */
	Draining,
	/**
	 * The server will not have this client as it is. The error says why; nothing more is tried until Connect is
	 * called.
	 */
	Refused,
	/** The PoseBridge library could not be loaded, or the settings are not right. The error says why. */
	Unavailable
};

/** Axes and units of landmarks that you send. */
UENUM(BlueprintType)
enum class EPoseBridgeLandmarkSpace : uint8
{
	/** As MediaPipe gives them (world landmarks): metres, X to the image's right, Y down, Z away from the camera. */
	MediaPipe UMETA(DisplayName = "MediaPipe (metres)"),
	/** Unreal's: centimetres, X forward (away from the camera), Y right, Z up. */
	Unreal UMETA(DisplayName = "Unreal (centimetres)")
};

/** What has changed about an alert. */
UENUM(BlueprintType)
enum class EPoseBridgeAlertState : uint8
{
	/** A state that this version of the plugin does not know. */
	Unknown,
	/** The motion left what was thought possible. */
	Raised,
	/** It is still outside, and more severe, or other parts of the body are. */
	Updated,
	/** It came back, or the avatar's frames ended. */
	Cleared,
	/** Someone has noted that they saw it. */
	Acknowledged
};

/** How rare such motion is. */
UENUM(BlueprintType)
enum class EPoseBridgeSeverity : uint8
{
	/** A severity that this version of the plugin does not know. */
	Unknown,
	/** Just above the threshold that was set. */
	Low,
	/** Normal motion gets here ten times as rarely. */
	Medium,
	/** A hundred times as rarely, or more. */
	High
};

/** A pose at one time: observed, foreseen or in between. */
USTRUCT(BlueprintType)
struct POSEBRIDGE_API FPoseBridgePose
{
	GENERATED_BODY()

	/** Position of each landmark, centimetres from the middle of the hips, in the axes of the avatar component. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	TArray<FVector> Landmarks;

	/**
	 * The middle of the hips, centimetres, in the axes of the avatar component; zero if frames are sent without a
	 * root.
	 */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	FVector Root = FVector::ZeroVector;

	/** Whether the root is known. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	bool bHasRoot = false;

	/** Probability of this future, 0 to 1. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float Probability = 0.0f;

	/** Stays the same for a future that continues one of the previous forecast. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int32 FutureId = 0;

	/** Seconds past the newest observed frame. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double SecondsAhead = 0.0;

	/** Seconds past the end of the forecast; above 0 the pose is a continuation, then held. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double SecondsPastEnd = 0.0;

	/** Number of the forecast that the pose comes from. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int64 ForecastNumber = 0;
};

/** One of the futures of a forecast. */
USTRUCT(BlueprintType)
struct POSEBRIDGE_API FPoseBridgeFuture
{
	GENERATED_BODY()

	/** Probability of this future, above 0; those of one forecast add up to 1. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float Probability = 0.0f;

	/** Stays the same for a future that continues one of the previous forecast. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int32 FutureId = 0;

	/**
	 * Positions, step after step: landmark L at step S has index S x (landmarks of the layout) + L. Centimetres from
	 * the middle of the hips, in the axes of the avatar component.
	 */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	TArray<FVector> Landmarks;

	/** The middle of the hips at each step, centimetres; empty if frames are sent without a root. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	TArray<FVector> Roots;
};

/** All futures of one avatar, most probable first. */
USTRUCT(BlueprintType)
struct POSEBRIDGE_API FPoseBridgeForecast
{
	GENERATED_BODY()

	/** Rises by one with every forecast of the avatar. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int64 Number = 0;

	/** Time of the newest observed frame that it is based on, seconds on the clock of the frames. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double BasedOnSeconds = 0.0;

	/** Seconds from one step to the next; step 0 is one such time after the newest observed frame. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double StepSeconds = 0.0;

	/** Steps of each future. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int32 StepCount = 0;

	/** Landmarks of each step. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int32 LandmarkCount = 0;

	/** The futures, most probable first. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	TArray<FPoseBridgeFuture> Futures;

	/** How uncertain each landmark is at each step, centimetres; same order as the landmarks of a future. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	TArray<float> Spread;

	/**
	 * How often normal motion is at least as surprising as what was last observed, 0 to 1; below 0 if that is not
	 * known.
	 */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float PValue = -1.0f;

	/** Evidence for unusual motion so far, as a part of what raises an alert: 1 raises one. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float Evidence = 0.0f;

	/** True if the server is giving less than was asked for, to keep up. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	bool bDegraded = false;

	/** Seconds that the server took from the frame to the forecast. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double ServerSeconds = 0.0;
};

/** One part of the body in an alert. */
USTRUCT(BlueprintType)
struct POSEBRIDGE_API FPoseBridgeAlertJoint
{
	GENERATED_BODY()

	/** Name of the landmark, for example left_wrist. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	FString Name;

	/** Number of the landmark in the layout. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int32 Landmark = 0;

	/** Its share of the surprise, 0 to 1. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float Share = 0.0f;
};

/** An alert after one of its changes: motion that was outside what was thought possible. */
USTRUCT(BlueprintType)
struct POSEBRIDGE_API FPoseBridgeAlert
{
	GENERATED_BODY()

	/** Which alert. All changes of one alert have the same. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	FString Id;

	/** 1 when raised, more with every change. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int32 Revision = 0;

	/** What has changed. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	EPoseBridgeAlertState State = EPoseBridgeAlertState::Unknown;

	/** Whose motion it is. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	FString AvatarId;

	/** How rare such motion is. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	EPoseBridgeSeverity Severity = EPoseBridgeSeverity::Unknown;

	/** Time of the first frame of the evidence, seconds on the clock of the frames. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double StartedSeconds = 0.0;

	/** Time of the frame that raised it, seconds on the clock of the frames. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double RaisedSeconds = 0.0;

	/** Time of the last frame that was outside, seconds on the clock of the frames; 0 while the alert is on. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double EndedSeconds = 0.0;

	/** How often normal motion is at least as surprising, at its most surprising. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double PValue = 1.0;

	/** The most evidence that there was; compare it with the threshold. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float Score = 0.0f;

	/** Evidence that raises an alert. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float Threshold = 0.0f;

	/** Parts of the body that were most surprising, at most 8, most surprising first. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	TArray<FPoseBridgeAlertJoint> Joints;
};

/** What the server has accepted. */
USTRUCT(BlueprintType)
struct POSEBRIDGE_API FPoseBridgeSession
{
	GENERATED_BODY()

	/** Version of the server. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	FString ServerVersion;

	/** Version of the contract between server and plugin. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int32 ProtocolVersion = 0;

	/** Seconds of an avatar's motion that are observed before forecasts begin. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float WarmUpSeconds = 0.0f;

	/** How far forecasts reach, seconds. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float HorizonSeconds = 0.0f;

	/** Futures of each forecast. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int32 FutureCount = 0;

	/** Forecasts of each avatar per second, at most. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	float ForecastRateHz = 0.0f;

	/** Whether motion is watched, so that alerts may come. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	bool bMotionIsWatched = false;
};

/** Counters of the connection since it was set up. */
USTRUCT(BlueprintType)
struct POSEBRIDGE_API FPoseBridgeStats
{
	GENERATED_BODY()

	/** Times that a server has accepted the connection. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int64 Sessions = 0;

	/** Frames that were sent. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int64 FramesSent = 0;

	/** Frames that were never sent: there was no connection for too long, or they came too fast. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int64 FramesDropped = 0;

	/** Frames that the server did not use, or made no forecast of. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int64 FrameErrors = 0;

	/** Forecasts that came. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int64 Forecasts = 0;

	/** Changes of alerts that came. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	int64 Alerts = 0;

	/** Milliseconds from sending a frame to the arrival of its forecast, newest one; 0 before the first. */
	UPROPERTY(BlueprintReadOnly, Category = "PoseBridge")
	double LatencyMilliseconds = 0.0;
};
