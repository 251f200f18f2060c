// SPDX-License-Identifier: Apache-2.0

#include "PoseBridgeAvatarComponent.h"

#include "Core/PoseBridgeClient.h"
#include "Core/PoseBridgeDemoBody.h"
#include "Core/PoseBridgeForecastView.h"
#include "Core/PoseBridgeSkeleton.h"
#include "DrawDebugHelpers.h"
#include "Engine/GameInstance.h"
#include "Engine/World.h"
#include "GameFramework/Actor.h"
#include "PoseBridgeConnection.h"
#include "PoseBridgeConvert.h"
#include "PoseBridgeModule.h"
#include "PoseBridgeSubsystem.h"

namespace
{
/** A name that the server takes: other characters become an underscore. */
FString ToAvatarId(const FString& Name)
{
	FString Id;
	for (const TCHAR Character : Name)
	{
		const bool bAllowed = (Character >= TEXT('a') && Character <= TEXT('z')) ||
			(Character >= TEXT('A') && Character <= TEXT('Z')) || (Character >= TEXT('0') && Character <= TEXT('9')) ||
			Character == TEXT('_') || Character == TEXT('.') || Character == TEXT(':') || Character == TEXT('-');
		Id.AppendChar(bAllowed ? Character : TEXT('_'));
	}
	// The end tells apart what was named by counting.
	return Id.Right(POSEBRIDGE_MAX_NAME);
}
} // namespace

UPoseBridgeAvatarComponent::UPoseBridgeAvatarComponent()
{
	PrimaryComponentTick.bCanEverTick = true;
}

void UPoseBridgeAvatarComponent::BeginPlay()
{
	Super::BeginPlay();
	RegisteredId = AvatarId;
	if (RegisteredId.IsEmpty())
	{
		const AActor* Owner = GetOwner();
		RegisteredId = ToAvatarId((Owner != nullptr ? Owner->GetName() + TEXT(".") : FString()) + GetName());
	}
	const UWorld* World = GetWorld();
	const UGameInstance* GameInstance = World != nullptr ? World->GetGameInstance() : nullptr;
	UPoseBridgeSubsystem* Found =
		GameInstance != nullptr ? GameInstance->GetSubsystem<UPoseBridgeSubsystem>() : nullptr;
	Subsystem = Found;
	if (Found != nullptr)
	{
		Found->RegisterAvatar(*this);
	}
}

void UPoseBridgeAvatarComponent::EndPlay(const EEndPlayReason::Type EndPlayReason)
{
	if (UPoseBridgeSubsystem* Found = Subsystem.Get())
	{
		Found->UnregisterAvatar(*this);
	}
	Connection.Reset();
	AvatarNumber = -1;
	Super::EndPlay(EndPlayReason);
}

void UPoseBridgeAvatarComponent::TickComponent(
	float DeltaTime, ELevelTick TickType, FActorComponentTickFunction* ThisTickFunction)
{
	Super::TickComponent(DeltaTime, TickType, ThisTickFunction);
	if (bSendDemoMotion)
	{
		SendDemoMotion(DeltaTime);
	}
	if (bDrawFutures)
	{
		DrawFutures();
	}
}

bool UPoseBridgeAvatarComponent::SendLandmarks(const TArray<FVector>& Landmarks, const TArray<float>& Visibility,
	EPoseBridgeLandmarkSpace Space, double CaptureSeconds)
{
	return Send(Landmarks, Visibility, Space, nullptr, CaptureSeconds);
}

bool UPoseBridgeAvatarComponent::SendLandmarksWithRoot(const TArray<FVector>& Landmarks,
	const TArray<float>& Visibility, EPoseBridgeLandmarkSpace Space, const FVector& Root, double CaptureSeconds)
{
	return Send(Landmarks, Visibility, Space, &Root, CaptureSeconds);
}

bool UPoseBridgeAvatarComponent::SendNobodyDetected(double CaptureSeconds)
{
	if (!IsAttached())
	{
		return ReportSendError(TEXT("there is no connection; call Connect of the PoseBridge subsystem"));
	}
	PoseBridgeCore::FProblem Problem;
	if (!Connection->Client->SendFrame(AvatarNumber, false, CaptureSeconds, nullptr, Problem))
	{
		return ReportSendError(PoseBridgeConvert::ToText(Problem.Text()));
	}
	return true;
}

bool UPoseBridgeAvatarComponent::GetPoseAhead(float SecondsAhead, int32 FutureIndex, FPoseBridgePose& OutPose)
{
	PoseBridgeCore::FPoseView Pose;
	if (!IsAttached() || !Connection->Client->PoseAhead(AvatarNumber, SecondsAhead, FutureIndex, Pose))
	{
		return false;
	}
	PoseBridgeConvert::FillPose(Pose, OutPose);
	return true;
}

bool UPoseBridgeAvatarComponent::GetPoseAtTime(double TimeSeconds, int32 FutureIndex, FPoseBridgePose& OutPose)
{
	PoseBridgeCore::FPoseView Pose;
	if (!IsAttached() || !Connection->Client->PoseAt(AvatarNumber, TimeSeconds, FutureIndex, Pose))
	{
		return false;
	}
	PoseBridgeConvert::FillPose(Pose, OutPose);
	return true;
}

bool UPoseBridgeAvatarComponent::GetForecast(FPoseBridgeForecast& OutForecast) const
{
	if (!IsAttached())
	{
		return false;
	}
	const PoseBridgeCore::FForecastLease Lease = Connection->Client->BorrowForecast(AvatarNumber);
	if (Lease.Get() == nullptr)
	{
		return false;
	}
	PoseBridgeConvert::FillForecast(*Lease.Get(), OutForecast);
	return true;
}

TArray<float> UPoseBridgeAvatarComponent::GetProbabilities() const
{
	TArray<float> Result;
	if (!IsAttached())
	{
		return Result;
	}
	const PoseBridgeCore::FForecastLease Lease = Connection->Client->BorrowForecast(AvatarNumber);
	if (Lease.Get() != nullptr)
	{
		const PoseBridgeCore::FForecastView View(*Lease.Get());
		for (uint32 Future = 0; Future < View.NumFutures(); ++Future)
		{
			Result.Add(View.Probability(Future));
		}
	}
	return Result;
}

FString UPoseBridgeAvatarComponent::GetRegisteredId() const
{
	return RegisteredId;
}

bool UPoseBridgeAvatarComponent::Attach(const TSharedPtr<FPoseBridgeConnection>& InConnection, FString& OutError)
{
	Connection = InConnection;
	AvatarNumber = -1;
	LastSendError.Empty();
	if (!Connection.IsValid())
	{
		return true;
	}
	PoseBridgeCore::FProblem Problem;
	AvatarNumber = Connection->Client->AddAvatar(PoseBridgeConvert::ToUtf8(RegisteredId), Problem);
	if (AvatarNumber < 0)
	{
		OutError = FString::Printf(TEXT("PoseBridge: avatar \"%s\" cannot be used. %s"), *RegisteredId,
			*PoseBridgeConvert::ToText(Problem.Text()));
		return false;
	}
	return true;
}

void UPoseBridgeAvatarComponent::ReportNewForecast()
{
	std::uint64_t Number = 0;
	if (IsAttached() && Connection->Client->TakeNewForecast(AvatarNumber, Number))
	{
		OnForecast.Broadcast(this, static_cast<int64>(Number));
	}
}

bool UPoseBridgeAvatarComponent::Send(const TArray<FVector>& Landmarks, const TArray<float>& Visibility,
	EPoseBridgeLandmarkSpace Space, const FVector* Root, double CaptureSeconds)
{
	if (!IsAttached())
	{
		return ReportSendError(TEXT("there is no connection; call Connect of the PoseBridge subsystem"));
	}
	const PoseBridgeCore::ELandmarkSpace CoreSpace = Space == EPoseBridgeLandmarkSpace::MediaPipe
		? PoseBridgeCore::ELandmarkSpace::MediaPipe
		: PoseBridgeCore::ELandmarkSpace::Unreal;
	PoseBridgeCore::FFrameBuilder& Frame = Connection->Client->FrameOf(AvatarNumber);
	PoseBridgeCore::FProblem Problem =
		Frame.Begin(static_cast<size_t>(Landmarks.Num()), static_cast<size_t>(Visibility.Num()));
	if (Problem.IsSet())
	{
		return ReportSendError(PoseBridgeConvert::ToText(Problem.Text()));
	}
	for (int32 Index = 0; Index < Landmarks.Num(); ++Index)
	{
		const float Seen = Visibility.Num() > 0 ? Visibility[Index] : 1.0f;
		Frame.Set(static_cast<size_t>(Index), PoseBridgeConvert::ToPoint(Landmarks[Index]), Seen, CoreSpace);
	}

	double RootCentimetres[3] = {0.0, 0.0, 0.0};
	if (Root != nullptr)
	{
		const FVector Point =
			Space == EPoseBridgeLandmarkSpace::MediaPipe ? PoseBridgeCore::UnrealFromMediaPipe(*Root) : *Root;
		RootCentimetres[0] = Point.X;
		RootCentimetres[1] = Point.Y;
		RootCentimetres[2] = Point.Z;
	}
	if (!Connection->Client->SendFrame(
			AvatarNumber, true, CaptureSeconds, Root != nullptr ? RootCentimetres : nullptr, Problem))
	{
		return ReportSendError(PoseBridgeConvert::ToText(Problem.Text()));
	}
	LastSendError.Empty();
	return true;
}

bool UPoseBridgeAvatarComponent::ReportSendError(const FString& Message)
{
	// A game sends every frame: say it once, until something else is wrong or it works again.
	if (Message != LastSendError)
	{
		LastSendError = Message;
		UE_LOG(LogPoseBridge, Warning, TEXT("Frame of avatar \"%s\" not sent: %s"), *RegisteredId, *Message);
	}
	return false;
}

bool UPoseBridgeAvatarComponent::IsAttached() const
{
	return Connection.IsValid() && AvatarNumber >= 0;
}

void UPoseBridgeAvatarComponent::SendDemoMotion(float DeltaTime)
{
	constexpr double FrameSeconds = 1.0 / 30.0;
	DemoSeconds += DeltaTime;
	if (DemoSeconds - DemoSentSeconds < FrameSeconds)
	{
		return;
	}
	DemoSentSeconds = DemoSeconds;
	TArray<FVector> Landmarks;
	for (const PoseBridgeCore::FPoint& Landmark : PoseBridgeCore::DemoBody(DemoSeconds))
	{
		Landmarks.Add(PoseBridgeConvert::ToVector(Landmark));
	}
	SendLandmarks(Landmarks, TArray<float>(), EPoseBridgeLandmarkSpace::MediaPipe);
}

void UPoseBridgeAvatarComponent::DrawFutures()
{
#if ENABLE_DRAW_DEBUG
	/** Centimetres, of a future that is certain. */
	constexpr float MaxLineThickness = 1.5f;
	constexpr float LandmarkPointSize = 6.0f;
	const UWorld* World = GetWorld();
	if (World == nullptr)
	{
		return;
	}
	const FTransform& Placement = GetComponentTransform();
	const int32 FutureCount = GetProbabilities().Num();
	// The most probable one last, on top of the others.
	for (int32 Future = FutureCount - 1; Future >= 0; --Future)
	{
		if (!GetPoseAhead(DrawSecondsAhead, Future, DrawnPose))
		{
			continue;
		}
		const float Probability = FMath::Clamp(DrawnPose.Probability, 0.0f, 1.0f);
		// The line drawer may ignore alpha: the color is darker and the line thinner as well.
		const float Brightness = 0.3f + 0.7f * Probability;
		const FColor Color(static_cast<uint8>(Brightness * DrawColor.R), static_cast<uint8>(Brightness * DrawColor.G),
			static_cast<uint8>(Brightness * DrawColor.B), static_cast<uint8>(255.0f * Probability));
		const auto InWorld = [&](int32 Landmark)
		{
			return Placement.TransformPosition(DrawnPose.Root + DrawnPose.Landmarks[Landmark]);
		};
		if (DrawnPose.Landmarks.Num() == static_cast<int32>(PoseBridgeCore::MediaPipePose33Landmarks))
		{
			for (const PoseBridgeCore::FBone& Bone : PoseBridgeCore::MediaPipePose33Bones)
			{
				DrawDebugLine(World, InWorld(Bone.From), InWorld(Bone.To), Color, false, -1.0f, 0,
					MaxLineThickness * Probability);
			}
			continue;
		}
		for (int32 Landmark = 0; Landmark < DrawnPose.Landmarks.Num(); ++Landmark)
		{
			DrawDebugPoint(World, InWorld(Landmark), LandmarkPointSize, Color);
		}
	}
#endif
}
