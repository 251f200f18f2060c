// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "CoreMinimal.h"
#include "Engine/DeveloperSettings.h"
#include "PoseBridgeSettings.generated.h"

/** Project Settings > Plugins > PoseBridge. Read each time a game (or Play in Editor) starts. */
UCLASS(Config = Game, DefaultConfig, meta = (DisplayName = "PoseBridge"))
class POSEBRIDGE_API UPoseBridgeSettings : public UDeveloperSettings
{
	GENERATED_BODY()

public:
	//~ Begin UDeveloperSettings Interface
	virtual FName GetCategoryName() const override;
	//~ End UDeveloperSettings Interface

	/** Where the server listens for game engines, as its --zmq option says. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Connection")
	FString Endpoint = TEXT("tcp://127.0.0.1:50552");

	/** Connect as soon as the game starts. Otherwise call Connect of the PoseBridge subsystem. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Connection")
	bool bConnectOnStart = true;

	/** Who is connecting; shows in the server's log. 1 to 64 of A-Z a-z 0-9 _ . : - */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Connection")
	FString ClientName = TEXT("unreal");

	/** Show errors on the screen as well as in the log (not in Shipping builds). */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Connection")
	bool bShowErrorsOnScreen = true;

	/** Which landmarks are sent. Must be one that the server has weights for. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Poses")
	FString LayoutId = TEXT("mediapipe.pose.33");

	/** How many landmarks the layout has. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Poses", meta = (ClampMin = "1", ClampMax = "600"))
	int32 LandmarkCount = 33;

	/** A landmark with less visibility than this, 0 to 1, counts as unseen. 0: the library's default, 0.1. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Poses", meta = (ClampMin = "0", ClampMax = "1"))
	float VisibilityThreshold = 0.1f;

	/** Most avatars at a time. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Poses", meta = (ClampMin = "1", ClampMax = "1024"))
	int32 MaxAvatars = 16;

	/** Futures of each forecast. 0: the server's default. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Forecasts", meta = (ClampMin = "0", ClampMax = "16"))
	int32 FutureCount = 0;

	/** How far forecasts reach. 0: the server's default. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Forecasts",
		meta = (ClampMin = "0", ClampMax = "3000", Units = "Milliseconds"))
	int32 HorizonMilliseconds = 0;

	/** Forecasts of each avatar per second. 0: the server's default. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Forecasts",
		meta = (ClampMin = "0", ClampMax = "120", Units = "Hertz"))
	float ForecastRateHz = 0.0f;

	/**
	 * Trajectories that the server draws for each forecast; more of them are slower and surer. 0: the server's
	 * default.
	 */
	UPROPERTY(
		Config, EditAnywhere, BlueprintReadOnly, Category = "Forecasts", meta = (ClampMin = "0", ClampMax = "256"))
	int32 SampleCount = 0;

	/** Time over which a pose passes from an older forecast to a newer one. 0: the library's default, 100 ms. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Forecasts",
		meta = (ClampMin = "0", ClampMax = "1000", Units = "Milliseconds"))
	int32 BlendMilliseconds = 100;

	/** Time for which a pose goes on past the end of a forecast before it holds. 0: the library's default, 100 ms. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Forecasts",
		meta = (ClampMin = "0", ClampMax = "1000", Units = "Milliseconds"))
	int32 ExtrapolateMilliseconds = 100;

	/** Watch motion and raise alerts when it is unusual (if the server is calibrated for that). */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Alerts")
	bool bWatchMotion = true;

	/** False alarms that are acceptable per hour and avatar. 0: the server's default. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Alerts",
		meta = (ClampMin = "0", EditCondition = "bWatchMotion"))
	float FalseAlarmsPerHour = 0.0f;

	/** How far ahead of now the Live Link subjects of single futures show the avatar. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Live Link",
		meta = (ClampMin = "0", ClampMax = "3", Units = "Seconds"))
	float LiveLinkSecondsAhead = 0.5f;

	/** Encryption: the server's public key, 40 characters. All three keys or none. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Security")
	FString ServerPublicKey;

	/** Encryption: this client's public key, 40 characters. All three keys or none. */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Security")
	FString ClientPublicKey;

	/**
	 * Encryption: name of the environment variable that holds this client's secret key. Its value is not kept here,
	 * because these settings are saved with the project.
	 */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Security")
	FString ClientSecretKeyVariable = TEXT("POSEBRIDGE_CLIENT_SECRET_KEY");

	/**
	 * Name of the environment variable that holds the token for a server that asks for one. Empty variable: no
	 * token.
	 */
	UPROPERTY(Config, EditAnywhere, BlueprintReadOnly, Category = "Security")
	FString TokenVariable = TEXT("POSEBRIDGE_TOKEN");
};
