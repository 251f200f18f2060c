// SPDX-License-Identifier: Apache-2.0

#include "PoseBridgeSubsystem.h"

#include "Core/PoseBridgeClient.h"
#include "Core/PoseBridgeSkeleton.h"
#include "Engine/Engine.h"
#include "Engine/GameInstance.h"
#include "Engine/World.h"
#include "PoseBridgeAvatarComponent.h"
#include "PoseBridgeConnection.h"
#include "PoseBridgeConvert.h"
#include "PoseBridgeLibraryLoader.h"
#include "PoseBridgeModule.h"
#include "PoseBridgeSettings.h"

namespace
{
/** Changes of alerts that are passed on in one frame; the rest comes in the next. */
constexpr SIZE_T MaxAlertsPerTick = 64;
constexpr float ErrorOnScreenSeconds = 10.0f;

/** Called on the library's thread; UE_LOG may be used from any. */
void LogFromLibrary(void* /*User*/, int32_t Level, const char* Message)
{
	const FString Text(UTF8_TO_TCHAR(Message));
	if (Level == POSEBRIDGE_LOG_ERROR)
	{
		UE_LOG(LogPoseBridge, Error, TEXT("%s"), *Text);
	}
	else if (Level == POSEBRIDGE_LOG_WARNING)
	{
		UE_LOG(LogPoseBridge, Warning, TEXT("%s"), *Text);
	}
	else
	{
		UE_LOG(LogPoseBridge, Log, TEXT("%s"), *Text);
	}
}
} // namespace

void UPoseBridgeSubsystem::Initialize(FSubsystemCollectionBase& Collection)
{
	Super::Initialize(Collection);
	if (GetDefault<UPoseBridgeSettings>()->bConnectOnStart)
	{
		Connect();
	}
}

void UPoseBridgeSubsystem::Deinitialize()
{
	// The game ends, or Play in Editor does: the background thread must end with it.
	Close();
	Avatars.Empty();
	State = EPoseBridgeState::Disconnected;
	Super::Deinitialize();
}

void UPoseBridgeSubsystem::Tick(float /*DeltaTime*/)
{
	TickConnection();
}

ETickableTickType UPoseBridgeSubsystem::GetTickableTickType() const
{
	return IsTemplate() ? ETickableTickType::Never : ETickableTickType::Conditional;
}

bool UPoseBridgeSubsystem::IsTickable() const
{
	return Connection.IsValid();
}

bool UPoseBridgeSubsystem::IsTickableWhenPaused() const
{
	return true;
}

UWorld* UPoseBridgeSubsystem::GetTickableGameObjectWorld() const
{
	return GetWorld();
}

TStatId UPoseBridgeSubsystem::GetStatId() const
{
	RETURN_QUICK_DECLARE_CYCLE_STAT(UPoseBridgeSubsystem, STATGROUP_Tickables);
}

bool UPoseBridgeSubsystem::Connect()
{
	const bool bAtIt = State == EPoseBridgeState::Connecting || State == EPoseBridgeState::Ready ||
		State == EPoseBridgeState::Draining;
	return bAtIt || ConnectTo(GetDefault<UPoseBridgeSettings>()->Endpoint);
}

bool UPoseBridgeSubsystem::ConnectTo(const FString& Endpoint)
{
	Close();
	return Open(Endpoint);
}

void UPoseBridgeSubsystem::Disconnect()
{
	Close();
	ReportState(EPoseBridgeState::Disconnected, TEXT("PoseBridge: disconnected"));
}

EPoseBridgeState UPoseBridgeSubsystem::GetState() const
{
	return State;
}

FString UPoseBridgeSubsystem::GetLastError() const
{
	return LastError;
}

FPoseBridgeSession UPoseBridgeSubsystem::GetSession() const
{
	return Connection.IsValid() ? PoseBridgeConvert::ToSession(Connection->Client->Session()) : FPoseBridgeSession();
}

FPoseBridgeStats UPoseBridgeSubsystem::GetStats() const
{
	return Connection.IsValid() ? PoseBridgeConvert::ToStats(Connection->Client->Stats()) : FPoseBridgeStats();
}

double UPoseBridgeSubsystem::GetClockSeconds() const
{
	const PoseBridgeCore::FLibraryApi* Api = FPoseBridgeLibrary::GetApi();
	return Api != nullptr ? PoseBridgeCore::SecondsFromMicroseconds(Api->now_us()) : 0.0;
}

bool UPoseBridgeSubsystem::GetHumanoidTransforms(const FPoseBridgePose& Pose, TArray<FTransform>& OutTransforms)
{
	const PoseBridgeCore::FLibraryApi* Api = FPoseBridgeLibrary::GetApi();
	if (Api == nullptr || Pose.Landmarks.Num() != static_cast<int32>(PoseBridgeCore::MediaPipePose33Landmarks))
	{
		return false;
	}
	std::array<PoseBridgeCore::FPoint, PoseBridgeCore::MediaPipePose33Landmarks> Landmarks;
	for (int32 Index = 0; Index < Pose.Landmarks.Num(); ++Index)
	{
		Landmarks[static_cast<size_t>(Index)] = PoseBridgeConvert::ToPoint(Pose.Landmarks[Index]);
	}
	PoseBridgeCore::FJointRotations Rotations;
	PoseBridgeCore::FJointPoints Translations;
	if (!PoseBridgeCore::HumanoidTransforms(*Api, Landmarks, Rotations, Translations))
	{
		return false;
	}
	OutTransforms.SetNum(static_cast<int32>(PoseBridgeCore::HumanoidJoints));
	for (size_t Joint = 0; Joint < PoseBridgeCore::HumanoidJoints; ++Joint)
	{
		const posebridge_quaternion& Rotation = Rotations[Joint];
		OutTransforms[static_cast<int32>(Joint)] = FTransform(
			FQuat(Rotation.x, Rotation.y, Rotation.z, Rotation.w), PoseBridgeConvert::ToVector(Translations[Joint]));
	}
	OutTransforms[POSEBRIDGE_JOINT_HIPS].AddToTranslation(Pose.Root);
	return true;
}

bool UPoseBridgeSubsystem::GetHumanoidJoints(TArray<FName>& OutNames, TArray<int32>& OutParents)
{
	OutNames.Reset();
	OutParents.Reset();
	const PoseBridgeCore::FLibraryApi* Api = FPoseBridgeLibrary::GetApi();
	if (Api == nullptr)
	{
		return false;
	}
	for (int32 Joint = 0; Joint < POSEBRIDGE_HUMANOID_JOINTS; ++Joint)
	{
		OutNames.Add(FName(UTF8_TO_TCHAR(Api->joint_name(Joint))));
		OutParents.Add(Api->joint_parent(Joint));
	}
	return true;
}

TArray<UPoseBridgeAvatarComponent*> UPoseBridgeSubsystem::GetAvatars() const
{
	TArray<UPoseBridgeAvatarComponent*> Result;
	for (const TObjectPtr<UPoseBridgeAvatarComponent>& Avatar : Avatars)
	{
		if (IsValid(Avatar.Get()))
		{
			Result.Add(Avatar.Get());
		}
	}
	return Result;
}

void UPoseBridgeSubsystem::RegisterAvatar(UPoseBridgeAvatarComponent& Avatar)
{
	Avatars.AddUnique(&Avatar);
	if (Connection.IsValid())
	{
		FString Error;
		if (!Avatar.Attach(Connection, Error))
		{
			ReportError(Error);
		}
	}
}

void UPoseBridgeSubsystem::UnregisterAvatar(UPoseBridgeAvatarComponent& Avatar)
{
	Avatars.Remove(&Avatar);
}

bool UPoseBridgeSubsystem::Open(const FString& Endpoint)
{
	const PoseBridgeCore::FLibraryApi* Api = FPoseBridgeLibrary::GetApi();
	if (Api == nullptr)
	{
		const FString Error = FPoseBridgeLibrary::GetError();
		ReportError(Error);
		ReportState(EPoseBridgeState::Unavailable, Error);
		return false;
	}

	PoseBridgeCore::FClientOptions Options = PoseBridgeConvert::ToOptions(*GetDefault<UPoseBridgeSettings>(), Endpoint);
	Options.Log = &LogFromLibrary;
	PoseBridgeCore::FProblem Problem;
	std::unique_ptr<PoseBridgeCore::FClient> Client = PoseBridgeCore::FClient::Create(*Api, Options, Problem);
	if (Client == nullptr || !Client->Connect(Problem))
	{
		const FString Error =
			TEXT("PoseBridge: cannot connect with these settings. ") + PoseBridgeConvert::ToText(Problem.Text());
		ReportError(Error);
		ReportState(EPoseBridgeState::Unavailable, Error);
		return false;
	}

	Connection = MakeShared<FPoseBridgeConnection>(std::move(Client));
	for (UPoseBridgeAvatarComponent* Avatar : GetAvatars())
	{
		FString Error;
		if (!Avatar->Attach(Connection, Error))
		{
			ReportError(Error);
		}
	}
	ReportState(EPoseBridgeState::Connecting, TEXT("PoseBridge: connecting to ") + Endpoint);
	return true;
}

void UPoseBridgeSubsystem::Close()
{
	for (UPoseBridgeAvatarComponent* Avatar : GetAvatars())
	{
		FString Unused;
		Avatar->Attach(nullptr, Unused);
	}
	Connection.Reset();
}

void UPoseBridgeSubsystem::TickConnection()
{
	// Handlers of the events below may disconnect, or destroy an avatar: what is used here is kept until the end.
	const TSharedPtr<FPoseBridgeConnection> Current = Connection;
	if (!Current.IsValid())
	{
		return;
	}
	PoseBridgeCore::FClient& Client = *Current->Client;

	PoseBridgeCore::FProblem Problem;
	int32_t Code = POSEBRIDGE_ERROR_NONE;
	FString Error;
	if (Client.TakeNewError(Problem, Code))
	{
		Error = TEXT("PoseBridge: ") + PoseBridgeConvert::ToText(Problem.Text());
		ReportError(Error);
	}
	const EPoseBridgeState NewState = PoseBridgeConvert::ToState(Client.State());
	if (NewState != State)
	{
		FString Message = Error;
		if (NewState == EPoseBridgeState::Ready)
		{
			Message = FString::Printf(TEXT("PoseBridge: connected to server %s with library %s"),
				UTF8_TO_TCHAR(Client.Session().server_version), *FPoseBridgeLibrary::GetVersion());
		}
		ReportState(NewState, Message);
		if (Connection.Get() != Current.Get())
		{
			return;
		}
	}

	TArray<FPoseBridgeAlert> Changes;
	Client.PollAlerts(MaxAlertsPerTick,
		[&Changes](const posebridge_alert& Alert)
		{
			Changes.Add(PoseBridgeConvert::ToAlert(Alert));
		});
	for (const FPoseBridgeAlert& Change : Changes)
	{
		OnAlert.Broadcast(Change);
		for (UPoseBridgeAvatarComponent* Avatar : GetAvatars())
		{
			if (Avatar->GetRegisteredId() == Change.AvatarId)
			{
				Avatar->OnAlert.Broadcast(Avatar, Change);
			}
		}
	}
	for (UPoseBridgeAvatarComponent* Avatar : GetAvatars())
	{
		// Not one that a handler has just destroyed.
		if (IsValid(Avatar))
		{
			Avatar->ReportNewForecast();
		}
	}
}

void UPoseBridgeSubsystem::ReportState(EPoseBridgeState NewState, const FString& Message)
{
	if (NewState == State)
	{
		return;
	}
	State = NewState;
	if (!Message.IsEmpty() && Message != LastError)
	{
		UE_LOG(LogPoseBridge, Log, TEXT("%s"), *Message);
	}
	OnStateChanged.Broadcast(State, Message);
}

void UPoseBridgeSubsystem::ReportError(const FString& Message)
{
	// The same error may come with every frame; once is enough to read it.
	if (Message != LastError)
	{
		UE_LOG(LogPoseBridge, Error, TEXT("%s"), *Message);
	}
	LastError = Message;
#if !UE_BUILD_SHIPPING
	if (GEngine != nullptr && GetDefault<UPoseBridgeSettings>()->bShowErrorsOnScreen)
	{
		// With a key of its own a message replaces the one before.
		GEngine->AddOnScreenDebugMessage(reinterpret_cast<uint64>(this), ErrorOnScreenSeconds, FColor::Red, Message);
	}
#endif
}
