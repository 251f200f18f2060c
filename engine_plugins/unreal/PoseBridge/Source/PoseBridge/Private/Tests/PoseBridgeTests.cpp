// SPDX-License-Identifier: Apache-2.0

// In the editor: Tools > Session Frontend > Automation, filter "PoseBridge".

#include "CoreMinimal.h"
#include "Misc/AutomationTest.h"

#if WITH_DEV_AUTOMATION_TESTS

#include "Core/PoseBridgeAlertLog.h"
#include "Core/PoseBridgeClient.h"
#include "Core/PoseBridgeSkeleton.h"
#include "PoseBridgeConvert.h"
#include "PoseBridgeLibraryLoader.h"
#include "PoseBridgeModule.h"
#include "PoseBridgeSettings.h"
#include "PoseBridgeSubsystem.h"

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FPoseBridgeAxesTest, "PoseBridge.Axes.RightUpAndAwayBecomeUnreal",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::ProductFilter)

bool FPoseBridgeAxesTest::RunTest(const FString& /*Parameters*/)
{
	// 1 m to the right, 2 m up, 3 m away from the camera.
	const FVector Point = PoseBridgeCore::UnrealFromMediaPipe(FVector(1.0, -2.0, 3.0));
	TestEqual(TEXT("forward, right, up in centimetres"), Point, FVector(300.0, 100.0, 200.0));
	TestEqual(TEXT("and back"), PoseBridgeCore::MediaPipeFromUnreal(Point), FVector(1.0, -2.0, 3.0));
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FPoseBridgeAlertsTest, "PoseBridge.Alerts.AChangeIsReportedOnce",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::ProductFilter)

bool FPoseBridgeAlertsTest::RunTest(const FString& /*Parameters*/)
{
	PoseBridgeCore::FAlertLog Log;
	TestTrue(TEXT("raised"), Log.Accept("a", 1));
	TestFalse(TEXT("raised again after a reconnect"), Log.Accept("a", 1));
	TestTrue(TEXT("cleared"), Log.Accept("a", 3));
	TestFalse(TEXT("an older change that came late"), Log.Accept("a", 2));

	posebridge_alert Alert{};
	Alert.state = POSEBRIDGE_ALERT_CLEARED;
	Alert.severity = 3;
	Alert.ended_us = 2500000;
	const FPoseBridgeAlert Converted = PoseBridgeConvert::ToAlert(Alert);
	TestTrue(TEXT("state"), Converted.State == EPoseBridgeAlertState::Cleared);
	TestTrue(TEXT("severity"), Converted.Severity == EPoseBridgeSeverity::High);
	TestEqual(TEXT("ended, seconds"), Converted.EndedSeconds, 2.5);
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FPoseBridgeLibraryTest, "PoseBridge.Library.IsLoadedAndOfThisVersion",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::ProductFilter)

bool FPoseBridgeLibraryTest::RunTest(const FString& /*Parameters*/)
{
	TestEqual(TEXT("error of the library"), FPoseBridgeModule::GetLibraryError(), FString());
	TestFalse(TEXT("version is empty"), FPoseBridgeModule::GetLibraryVersion().IsEmpty());
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FPoseBridgeSettingsTest, "PoseBridge.Settings.TheLibraryTakesTheDefaults",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::ProductFilter)

bool FPoseBridgeSettingsTest::RunTest(const FString& /*Parameters*/)
{
	const PoseBridgeCore::FLibraryApi* Api = FPoseBridgeLibrary::GetApi();
	if (Api == nullptr)
	{
		AddError(FPoseBridgeModule::GetLibraryError());
		return false;
	}
	const UPoseBridgeSettings* Settings = GetDefault<UPoseBridgeSettings>();
	PoseBridgeCore::FProblem Problem;
	const std::unique_ptr<PoseBridgeCore::FClient> Client =
		PoseBridgeCore::FClient::Create(*Api, PoseBridgeConvert::ToOptions(*Settings, Settings->Endpoint), Problem);
	TestTrue(PoseBridgeConvert::ToText("a client is made; " + Problem.Text()), Client != nullptr);
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FPoseBridgeHumanoidTest, "PoseBridge.Humanoid.JointsStandOnTheLandmarks",
	EAutomationTestFlags::EditorContext | EAutomationTestFlags::ClientContext | EAutomationTestFlags::ProductFilter)

bool FPoseBridgeHumanoidTest::RunTest(const FString& /*Parameters*/)
{
	TArray<FName> Names;
	TArray<int32> Parents;
	if (!UPoseBridgeSubsystem::GetHumanoidJoints(Names, Parents))
	{
		AddError(FPoseBridgeModule::GetLibraryError());
		return false;
	}

	// Someone who stands, seen from behind, and lifts the left hand; centimetres.
	FPoseBridgePose Pose;
	Pose.Landmarks.Init(FVector(0.0, 0.0, 60.0), static_cast<int32>(PoseBridgeCore::MediaPipePose33Landmarks));
	const FVector LeftHand(10.0, -40.0, 95.0);
	Pose.Landmarks[11] = FVector(0.0, -20.0, 50.0);
	Pose.Landmarks[12] = FVector(0.0, 20.0, 50.0);
	Pose.Landmarks[13] = FVector(0.0, -45.0, 60.0);
	Pose.Landmarks[14] = FVector(0.0, 25.0, 25.0);
	Pose.Landmarks[15] = LeftHand;
	Pose.Landmarks[16] = FVector(5.0, 25.0, 0.0);
	Pose.Landmarks[23] = FVector(0.0, -10.0, 0.0);
	Pose.Landmarks[24] = FVector(0.0, 10.0, 0.0);
	for (int32 Side = 0; Side < 2; ++Side)
	{
		const double Right = Side == 0 ? -12.0 : 12.0;
		Pose.Landmarks[7 + Side] = FVector(-2.0, 0.5 * Right, 70.0);
		Pose.Landmarks[25 + Side] = FVector(2.0, Right, -42.0);
		Pose.Landmarks[27 + Side] = FVector(-3.0, Right, -82.0);
		Pose.Landmarks[29 + Side] = FVector(-8.0, Right, -86.0);
		Pose.Landmarks[31 + Side] = FVector(12.0, Right, -88.0);
	}

	TArray<FTransform> Local;
	if (!TestTrue(TEXT("the pose has rotations"), UPoseBridgeSubsystem::GetHumanoidTransforms(Pose, Local)))
	{
		return false;
	}
	TArray<FTransform> World;
	for (int32 Joint = 0; Joint < Local.Num(); ++Joint)
	{
		World.Add(Parents[Joint] < 0 ? Local[Joint] : Local[Joint] * World[Parents[Joint]]);
	}
	TestTrue(TEXT("the left hand is where its landmark is"),
		World[POSEBRIDGE_JOINT_LEFT_HAND].GetLocation().Equals(LeftHand, 0.1));
	return true;
}

#endif // WITH_DEV_AUTOMATION_TESTS
