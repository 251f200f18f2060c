// The plugin's own sources, run in a game that is made of stand-ins, with the real library and a real server:
// POSEBRIDGE_TEST_PLUGIN is a folder with Binaries/ThirdParty/posebridge/Linux/libposebridge.so,
// POSEBRIDGE_TEST_ENDPOINT the address.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "Core/PoseBridgeLibraryApi.h"
#include "DrawDebugHelpers.h"
#include "Engine/Engine.h"
#include "Engine/GameInstance.h"
#include "Engine/World.h"
#include "GameFramework/Actor.h"
#include "ILiveLinkClient.h"
#include "Interfaces/IPluginManager.h"
#include "Misc/AutomationTest.h"
#include "PoseBridgeAvatarComponent.h"
#include "PoseBridgeLibraryLoader.h"
#include "PoseBridgeLiveLinkSource.h"
#include "PoseBridgeLiveLinkSourceFactory.h"
#include "PoseBridgeModule.h"
#include "PoseBridgeSettings.h"
#include "PoseBridgeSubsystem.h"
#include "Roles/LiveLinkAnimationTypes.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <thread>

extern "C" IModuleInterface* InitializeModulePoseBridge();
extern "C" IModuleInterface* InitializeModulePoseBridgeLiveLink();

namespace
{
FString Text(const std::string& Value)
{
	return FString(UTF8_TO_TCHAR(Value.c_str()));
}

std::string Environment(const char* Name)
{
	const char* Value = std::getenv(Name);
	return Value == nullptr ? "" : Value;
}

int Threads()
{
	int Count = 0;
	for ([[maybe_unused]] const auto& Entry : std::filesystem::directory_iterator("/proc/self/task"))
	{
		++Count;
	}
	return Count;
}

/** The plugin, loaded from a folder, as when an editor starts. */
struct FEditor
{
	explicit FEditor(const std::string& PluginFolder)
	{
		GEngine = &Engine;
		TSharedPtr<IPlugin> Plugin = MakeShared<IPlugin>();
		Plugin->StandInBaseDir = Text(PluginFolder);
		IPluginManager::Get().StandInPlugin = Plugin;
		Module.reset(InitializeModulePoseBridge());
		Module->StartupModule();
		StandInDefault<UPoseBridgeSettings>() = UPoseBridgeSettings();
		StandInDefault<UPoseBridgeSettings>().Endpoint = Text(Environment("POSEBRIDGE_TEST_ENDPOINT"));
	}

	~FEditor()
	{
		Module->ShutdownModule();
		GEngine = nullptr;
	}

	UEngine Engine;
	std::unique_ptr<IModuleInterface> Module;
};

FEditor WithLibrary()
{
	return FEditor(Environment("POSEBRIDGE_TEST_PLUGINS") + "/plugin");
}

/** Play in Editor: a game instance with the subsystem, and frames that go by. */
struct FGame
{
	/** Makes an avatar; it lives as long as the game, as an actor's component would. */
	UPoseBridgeAvatarComponent& MakeAvatar()
	{
		return *Owned.emplace_back(std::make_unique<UPoseBridgeAvatarComponent>());
	}

	FGame()
	{
		World.StandInGameInstance = &Instance;
		Instance.StandInSubsystem = &Subsystem;
		Subsystem.StandInWorld = &World;
		Actor.StandInName = TEXT("BP_Dancer 1");
		FSubsystemCollectionBase Collection;
		Subsystem.Initialize(Collection);
		FWorldContext Context;
		Context.OwningGameInstance = &Instance;
		GEngine->StandInWorldContexts.StandInElements.Add(Context);
	}

	~FGame()
	{
		Stop();
	}

	void Stop()
	{
		if (bPlaying)
		{
			bPlaying = false;
			for (UPoseBridgeAvatarComponent* Avatar : Avatars)
			{
				Avatar->EndPlay(EEndPlayReason::EndPlayInEditor);
			}
			Subsystem.Deinitialize();
			GEngine->StandInWorldContexts.StandInElements.Empty();
		}
	}

	void Play(UPoseBridgeAvatarComponent& Avatar)
	{
		Avatar.StandInWorld = &World;
		Avatar.StandInOwner = &Actor;
		Avatar.StandInName = TEXT("PoseBridgeAvatar");
		Avatars.Add(&Avatar);
		Avatar.BeginPlay();
	}

	/** Frames at about 60 Hz until something holds; false if it does not for long. */
	template <typename ConditionType>
	bool TickUntil(ConditionType Holds)
	{
		const auto End = std::chrono::steady_clock::now() + std::chrono::seconds(20);
		while (!Holds())
		{
			if (std::chrono::steady_clock::now() > End)
			{
				return false;
			}
			StandInLines.Reset();
			for (UPoseBridgeAvatarComponent* Avatar : TArray<UPoseBridgeAvatarComponent*>(Avatars))
			{
				if (IsValid(Avatar))
				{
					Avatar->TickComponent(0.016f, LEVELTICK_All, nullptr);
				}
			}
			if (Subsystem.IsTickable())
			{
				Subsystem.Tick(0.016f);
			}
			std::this_thread::sleep_for(std::chrono::milliseconds(16));
		}
		return true;
	}

	UWorld World;
	UGameInstance Instance;
	AActor Actor;
	UPoseBridgeSubsystem Subsystem;
	std::vector<std::unique_ptr<UPoseBridgeAvatarComponent>> Owned;
	TArray<UPoseBridgeAvatarComponent*> Avatars;
	bool bPlaying = true;
};

/** Live Link's side: what it was given. */
struct FLiveLinkRecorder : public ILiveLinkClient
{
	void PushSubjectStaticData_AnyThread(
		const FLiveLinkSubjectKey& Key, TSubclassOf<ULiveLinkRole> /*Role*/, FLiveLinkStaticDataStruct&& Data) override
	{
		++Skeletons[Name(Key)];
		Skeleton = *Data.Cast<FLiveLinkSkeletonStaticData>();
	}
	void PushSubjectFrameData_AnyThread(const FLiveLinkSubjectKey& Key, FLiveLinkFrameDataStruct&& Data) override
	{
		CHECK(Skeletons.count(Name(Key)) == 1);
		++Frames[Name(Key)];
		Frame = *Data.Cast<FLiveLinkAnimationFrameData>();
	}
	void RemoveSubject_AnyThread(const FLiveLinkSubjectKey& Key) override
	{
		++Removed[Name(Key)];
	}
	static std::string Name(const FLiveLinkSubjectKey& Key)
	{
		return Key.SubjectName.Name.ToString().StandInUtf8();
	}

	std::map<std::string, int> Skeletons;
	std::map<std::string, int> Frames;
	std::map<std::string, int> Removed;
	FLiveLinkSkeletonStaticData Skeleton;
	FLiveLinkAnimationFrameData Frame;
};
} // namespace

TEST_CASE("without the library the error says what is missing and where it was looked for")
{
	FEditor Editor("/no/such/plugin");
	CHECK(
		FPoseBridgeModule::GetLibraryError().StandInUtf8().find("libposebridge.so was not found") != std::string::npos);
	FGame Game;
	CHECK(Game.Subsystem.GetState() == EPoseBridgeState::Unavailable);
	const std::string Error = Game.Subsystem.GetLastError().StandInUtf8();
	CHECK(Error.find("/no/such/plugin/Binaries/ThirdParty/posebridge/Linux/libposebridge.so") != std::string::npos);
	REQUIRE(Editor.Engine.StandInOnScreen.Num() > 0);
	CHECK(Editor.Engine.StandInOnScreen[0].StandInUtf8() == Error);
	CHECK_FALSE(Game.Subsystem.IsTickable());
	CHECK_FALSE(Game.Subsystem.Connect());

	UPoseBridgeAvatarComponent& Avatar = Game.MakeAvatar();
	Game.Play(Avatar);
	FPoseBridgePose Pose;
	CHECK_FALSE(Avatar.SendNobodyDetected());
	CHECK_FALSE(Avatar.GetPoseAhead(0.0f, 0, Pose));
	CHECK(Game.Subsystem.GetClockSeconds() == 0.0);
}

TEST_CASE("a library of another version is refused, and the error names both")
{
	const FEditor Editor(Environment("POSEBRIDGE_TEST_PLUGINS") + "/other_version");
	const std::string Error = FPoseBridgeModule::GetLibraryError().StandInUtf8();
	CHECK(Error.find("is version \"1.2.3\"") != std::string::npos);
	CHECK(Error.find("built for " + PoseBridgeCore::HeaderVersion()) != std::string::npos);
	FGame Game;
	CHECK(Game.Subsystem.GetState() == EPoseBridgeState::Unavailable);
}

TEST_CASE("a file that is there but is no library is told from one that is missing")
{
	const FEditor Editor(Environment("POSEBRIDGE_TEST_PLUGINS") + "/broken");
	CHECK(FPoseBridgeModule::GetLibraryError().StandInUtf8().find("is there but did not load") != std::string::npos);
}

TEST_CASE("the plugin's automation tests pass")
{
	const FEditor Editor = WithLibrary();
	REQUIRE(FPoseBridgeModule::GetLibraryError().StandInUtf8() == "");
	CHECK(FAutomationTestBase::StandInTests().Num() >= 5);
	for (FAutomationTestBase* Test : FAutomationTestBase::StandInTests())
	{
		const bool bPassed = Test->StandInRun();
		for (const FString& Error : Test->StandInErrors)
		{
			MESSAGE(Error.StandInUtf8());
		}
		CHECK(bPassed);
	}
}

TEST_CASE("settings that the library refuses are named on the screen")
{
	FEditor Editor = WithLibrary();
	StandInDefault<UPoseBridgeSettings>().Endpoint = TEXT("not an address");
	FGame Game;
	CHECK(Game.Subsystem.GetState() == EPoseBridgeState::Unavailable);
	REQUIRE(Editor.Engine.StandInOnScreen.Num() == 1);
	CHECK(Editor.Engine.StandInOnScreen[0].StandInUtf8().find("endpoint") != std::string::npos);
}

TEST_CASE("from Play to ghosts: futures are drawn and go to Live Link, and Play can end and begin again")
{
	const FEditor Editor = WithLibrary();
	const int ThreadsBefore = Threads();
	UPoseBridgeLiveLinkSourceFactory Factory;
	const TSharedPtr<ILiveLinkSource> Source = Factory.CreateSource(FString());
	FLiveLinkRecorder LiveLink;
	Source->ReceiveClient(&LiveLink, FGuid());
	Source->Update();
	CHECK(Source->GetSourceStatus().ToString() == FString(TEXT("Waiting for Play")));

	for (int Play = 0; Play < 2; ++Play)
	{
		FGame Game;
		std::vector<EPoseBridgeState> States;
		Game.Subsystem.OnStateChanged.StandInBind(
			[&](EPoseBridgeState State, const FString&)
			{
				States.push_back(State);
			});
		UPoseBridgeAvatarComponent& Avatar = Game.MakeAvatar();
		Avatar.bSendDemoMotion = true;
		Avatar.bDrawFutures = true;
		Avatar.StandInTransform = FTransform(FQuat::Identity, FVector(1000.0, 0.0, 90.0));
		std::int64_t LastNumber = 0;
		int Forecasts = 0;
		Avatar.OnForecast.StandInBind(
			[&](UPoseBridgeAvatarComponent* From, int64 Number)
			{
				CHECK(From == &Avatar);
				CHECK(Number > LastNumber);
				LastNumber = Number;
				++Forecasts;
			});
		Game.Play(Avatar);
		CHECK(Avatar.GetRegisteredId() == FString(TEXT("BP_Dancer_1.PoseBridgeAvatar")));
		REQUIRE(Game.TickUntil(
			[&]
			{
				Source->Update();
				return Forecasts >= 5 && StandInLines.Num() > 0;
			}));
		REQUIRE(!States.empty());
		CHECK(States.back() == EPoseBridgeState::Ready);

		FPoseBridgeForecast Forecast;
		REQUIRE(Avatar.GetForecast(Forecast));
		CHECK(Forecast.LandmarkCount == 33);
		CHECK(Forecast.Futures.Num() == Game.Subsystem.GetSession().FutureCount);
		CHECK(Forecast.Futures[0].Landmarks.Num() == Forecast.StepCount * 33);
		CHECK(Forecast.StepSeconds * Forecast.StepCount ==
			doctest::Approx(Game.Subsystem.GetSession().HorizonSeconds).epsilon(0.05));
		float Sum = 0.0f;
		for (const float Probability : Avatar.GetProbabilities())
		{
			Sum += Probability;
		}
		CHECK(Sum == doctest::Approx(1.0).epsilon(0.001));
		CHECK(Game.Subsystem.GetStats().FramesSent > 0);
		CHECK(Game.Subsystem.GetStats().LatencyMilliseconds > 0.0);

		// 35 bones for each future, around where the component is; the last one is the most probable and the strongest.
		CHECK(StandInLines.Num() == 35 * Forecast.Futures.Num());
		for (const FStandInLine& Line : StandInLines)
		{
			CHECK(std::abs(Line.Start.X - 1000.0) < 150.0);
			CHECK(std::abs(Line.Start.Z - 90.0) < 150.0);
		}
		CHECK(StandInLines[StandInLines.Num() - 1].Thickness >= StandInLines[0].Thickness);

		const std::string Present = "BP_Dancer_1.PoseBridgeAvatar";
		CHECK(LiveLink.Skeletons[Present] == Play + 1);
		CHECK(LiveLink.Skeletons[Present + "_Future1"] == Play + 1);
		CHECK(LiveLink.Frames[Present + "_Future1"] > 1);
		CHECK(static_cast<int>(LiveLink.Skeletons.size()) == 1 + Forecast.Futures.Num());
		CHECK(LiveLink.Skeleton.StandInNames.Num() == 17);
		CHECK(LiveLink.Frame.Transforms.Num() == 17);
		CHECK(LiveLink.Frame.PropertyValues.Num() == LiveLink.Skeleton.PropertyNames.Num());
		CHECK(Source->GetSourceStatus().ToString() == FString(TEXT("Active")));

		Game.Stop();
		CHECK(Threads() == ThreadsBefore);
		Source->Update();
		CHECK(LiveLink.Removed[Present] == Play + 1);
		CHECK(LiveLink.Removed[Present + "_Future1"] == Play + 1);
	}
	CHECK(Source->RequestSourceShutdown());
	CHECK_FALSE(Source->IsSourceStillValid());
}

TEST_CASE("a server that refuses is asked no more, and its reason is shown")
{
	FEditor Editor = WithLibrary();
	StandInDefault<UPoseBridgeSettings>().LayoutId = TEXT("studio.body.33");
	FGame Game;
	FString Reason;
	Game.Subsystem.OnStateChanged.StandInBind(
		[&](EPoseBridgeState, const FString& Message)
		{
			Reason = Message;
		});
	REQUIRE(Game.TickUntil(
		[&]
		{
			return Game.Subsystem.GetState() == EPoseBridgeState::Refused;
		}));
	CHECK(Reason.StandInUtf8().find("layout") != std::string::npos);
	CHECK(Game.Subsystem.GetLastError() == Reason);
	CHECK(Editor.Engine.StandInOnScreen.Num() > 0);

	StandInDefault<UPoseBridgeSettings>().LayoutId = TEXT("mediapipe.pose.33");
	CHECK(Game.Subsystem.Connect());
	REQUIRE(Game.TickUntil(
		[&]
		{
			return Game.Subsystem.GetState() == EPoseBridgeState::Ready;
		}));
}

TEST_CASE("an alert reaches everyone who asked for it, once")
{
	const FEditor Editor = WithLibrary();
	// The server with canned forecasts raises none: these come from here.
	static std::deque<posebridge_alert> Waiting;
	PoseBridgeCore::FLibraryApi& Api = const_cast<PoseBridgeCore::FLibraryApi&>(*FPoseBridgeLibrary::GetApi());
	Api.poll_alert = [](posebridge_client*, posebridge_alert* Alert) -> std::int32_t
	{
		if (Waiting.empty())
		{
			return POSEBRIDGE_EMPTY;
		}
		*Alert = Waiting.front();
		Waiting.pop_front();
		return POSEBRIDGE_OK;
	};
	for (const std::uint32_t Revision : {1u, 1u, 2u})
	{
		posebridge_alert Alert{};
		std::strcpy(Alert.id, "01ALERT");
		std::strcpy(Alert.avatar_id, "first");
		Alert.revision = Revision;
		Alert.state = static_cast<std::int32_t>(Revision == 1 ? POSEBRIDGE_ALERT_RAISED : POSEBRIDGE_ALERT_CLEARED);
		Alert.severity = 2;
		Alert.raised_us = 3'250'000;
		// More than there is room for: the rest must not be read.
		Alert.joint_count = 9;
		std::strcpy(Alert.joints[0].name, "left_wrist");
		Alert.joints[0].landmark = 15;
		Alert.joints[0].share = 0.75f;
		Waiting.push_back(Alert);
	}

	FGame Game;
	UPoseBridgeAvatarComponent& First = Game.MakeAvatar();
	UPoseBridgeAvatarComponent& Second = Game.MakeAvatar();
	First.AvatarId = TEXT("first");
	Second.AvatarId = TEXT("second");
	std::vector<FPoseBridgeAlert> OfGame;
	std::vector<FPoseBridgeAlert> OfFirst;
	int OfSecond = 0;
	Game.Subsystem.OnAlert.StandInBind(
		[&](const FPoseBridgeAlert& Alert)
		{
			OfGame.push_back(Alert);
		});
	First.OnAlert.StandInBind(
		[&](UPoseBridgeAvatarComponent* From, const FPoseBridgeAlert& Alert)
		{
			CHECK(From == &First);
			OfFirst.push_back(Alert);
		});
	Second.OnAlert.StandInBind(
		[&](UPoseBridgeAvatarComponent*, const FPoseBridgeAlert&)
		{
			++OfSecond;
		});
	Game.Play(First);
	Game.Play(Second);
	Game.Subsystem.Tick(0.016f);
	Game.Subsystem.Tick(0.016f);

	REQUIRE(OfGame.size() == 2);
	REQUIRE(OfFirst.size() == 2);
	CHECK(OfSecond == 0);
	CHECK(OfFirst[0].Id == FString(TEXT("01ALERT")));
	CHECK(OfFirst[0].State == EPoseBridgeAlertState::Raised);
	CHECK(OfFirst[0].Severity == EPoseBridgeSeverity::Medium);
	CHECK(OfFirst[0].RaisedSeconds == doctest::Approx(3.25));
	CHECK(OfFirst[0].Joints.Num() == 8);
	CHECK(OfFirst[0].Joints[0].Name == FString(TEXT("left_wrist")));
	CHECK(OfFirst[1].State == EPoseBridgeAlertState::Cleared);
	CHECK(OfFirst[1].Revision == 2);
}

TEST_CASE("a handler may disconnect and destroy avatars")
{
	const FEditor Editor = WithLibrary();
	FGame Game;
	UPoseBridgeAvatarComponent& First = Game.MakeAvatar();
	UPoseBridgeAvatarComponent& Second = Game.MakeAvatar();
	First.AvatarId = TEXT("first");
	Second.AvatarId = TEXT("second");
	First.bSendDemoMotion = true;
	Second.bSendDemoMotion = true;
	bool bDone = false;
	bool bSecondIsLast = true;
	First.OnForecast.StandInBind(
		[&](UPoseBridgeAvatarComponent*, int64)
		{
			if (bDone)
			{
				return;
			}
			Second.EndPlay(EEndPlayReason::Destroyed);
			Second.bStandInDestroyed = true;
			Game.Subsystem.Disconnect();
			bDone = true;
		});
	Second.OnForecast.StandInBind(
		[&](UPoseBridgeAvatarComponent*, int64)
		{
			bSecondIsLast = !bDone && bSecondIsLast;
		});
	Game.Play(First);
	Game.Play(Second);
	REQUIRE(Game.TickUntil(
		[&]
		{
			return bDone;
		}));
	CHECK(bSecondIsLast);
	CHECK(Game.Subsystem.GetState() == EPoseBridgeState::Disconnected);
	CHECK(Game.Subsystem.GetAvatars().Num() == 1);
	FPoseBridgePose Pose;
	CHECK_FALSE(First.GetPoseAhead(0.0f, 0, Pose));

	CHECK(Game.Subsystem.Connect());
	REQUIRE(Game.TickUntil(
		[&]
		{
			return First.GetPoseAhead(0.2f, UPoseBridgeAvatarComponent::MeanFuture, Pose);
		}));
	CHECK(Pose.Landmarks.Num() == 33);
}

TEST_CASE("a handler may disconnect as soon as there is a connection")
{
	const FEditor Editor = WithLibrary();
	FGame Game;
	UPoseBridgeAvatarComponent& Avatar = Game.MakeAvatar();
	Avatar.bSendDemoMotion = true;
	int Disconnected = 0;
	Game.Subsystem.OnStateChanged.StandInBind(
		[&](EPoseBridgeState State, const FString&)
		{
			if (State == EPoseBridgeState::Ready)
			{
				Game.Subsystem.Disconnect();
			}
			Disconnected += State == EPoseBridgeState::Disconnected ? 1 : 0;
		});
	Game.Play(Avatar);
	REQUIRE(Game.TickUntil(
		[&]
		{
			return Disconnected == 1;
		}));
	CHECK(Game.Subsystem.GetState() == EPoseBridgeState::Disconnected);
	CHECK_FALSE(Game.Subsystem.IsTickable());
	CHECK_FALSE(Avatar.SendNobodyDetected());
}

TEST_CASE("what is wrong with a frame or an avatar is said once, with what is right")
{
	FEditor Editor = WithLibrary();
	FGame Game;
	UPoseBridgeAvatarComponent& Avatar = Game.MakeAvatar();
	Avatar.AvatarId = TEXT("careless");
	Game.Play(Avatar);
	TArray<FVector> Landmarks;
	Landmarks.Init(FVector::ZeroVector, 12);
	for (int Frame = 0; Frame < 3; ++Frame)
	{
		CHECK_FALSE(Avatar.SendLandmarks(Landmarks, {}, EPoseBridgeLandmarkSpace::MediaPipe));
	}
	CHECK(StandInLog.Count("\"careless\" not sent: Landmarks: 12 positions were given; expected: 33") == 1);
	Landmarks.Init(FVector::ZeroVector, 33);
	CHECK_FALSE(Avatar.SendLandmarks(Landmarks, {0.5f}, EPoseBridgeLandmarkSpace::MediaPipe));
	CHECK(StandInLog.Count("Visibility: 1 values were given") == 1);

	UPoseBridgeAvatarComponent& Spaced = Game.MakeAvatar();
	Spaced.AvatarId = TEXT("player one");
	Game.Play(Spaced);
	CHECK(Game.Subsystem.GetLastError().StandInUtf8().find("\"player one\" cannot be used") != std::string::npos);
	CHECK(Editor.Engine.StandInOnScreen.Num() == 1);
	CHECK_FALSE(Spaced.SendNobodyDetected());
}

TEST_CASE("frames with a root give futures that walk")
{
	const FEditor Editor = WithLibrary();
	FGame Game;
	UPoseBridgeAvatarComponent& Demo = Game.MakeAvatar();
	UPoseBridgeAvatarComponent& Walker = Game.MakeAvatar();
	Demo.AvatarId = TEXT("demo");
	Demo.bSendDemoMotion = true;
	Walker.AvatarId = TEXT("walker");
	Game.Play(Demo);
	Game.Play(Walker);
	FPoseBridgePose Pose;
	double Walked = 0.0;
	REQUIRE(Game.TickUntil(
		[&]
		{
			// The shape of the demo body as it comes back, once there is one: Unreal's axes, so no conversion is due.
			if (Demo.GetPoseAhead(0.0f, UPoseBridgeAvatarComponent::MeanFuture, Pose))
			{
				Walked += 2.0;
				CHECK(Walker.SendLandmarksWithRoot(
					Pose.Landmarks, {}, EPoseBridgeLandmarkSpace::Unreal, FVector(300.0 + Walked, -50.0, 95.0)));
			}
			FPoseBridgePose Ahead;
			return Walker.GetPoseAhead(0.1f, 0, Ahead) && Ahead.bHasRoot && std::abs(Ahead.Root.Y + 50.0) < 60.0 &&
				Ahead.Root.X > 200.0;
		}));
	FPoseBridgeForecast Forecast;
	REQUIRE(Walker.GetForecast(Forecast));
	CHECK(Forecast.Futures[0].Roots.Num() == Forecast.StepCount);
}
