// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "PoseBridgeAlertLog.h"
#include "PoseBridgeFrame.h"
#include "PoseBridgeFrameClock.h"
#include "PoseBridgeHumanoid.h"
#include "PoseBridgeLibraryApi.h"
#include "PoseBridgeProblem.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace PoseBridgeCore
{
/** How a connection is set up; 0 and "" leave the library's default, see posebridge_config. */
struct FClientOptions
{
	std::string Endpoint;
	std::string ClientName;
	std::string LayoutId;
	std::uint32_t LandmarkCount = 0;
	float ForecastRateHz = 0.0f;
	std::uint32_t HorizonMilliseconds = 0;
	std::uint32_t Samples = 0;
	std::uint32_t Futures = 0;
	float VisibilityThreshold = 0.0f;
	bool bWatchMotion = true;
	float FalseAlarmsPerHour = 0.0f;
	std::uint32_t MaxAvatars = 0;
	std::uint32_t BlendMilliseconds = 0;
	std::uint32_t ExtrapolateMilliseconds = 0;
	std::string ServerPublicKey;
	std::string ClientPublicKey;
	std::string ClientSecretKey;
	std::string Token;
	posebridge_log_fn Log = nullptr;
	void* LogUser = nullptr;
};

/** A pose at one time; centimetres, Unreal's axes. Landmarks live until the avatar's next pose is asked for. */
struct FPoseView
{
	const float* Landmarks = nullptr;
	std::size_t LandmarkCount = 0;
	bool bHasRoot = false;
	FPoint Root;
	float Probability = 0.0f;
	std::uint32_t ModeId = 0;
	double SecondsAhead = 0.0;
	double SecondsPastEnd = 0.0;
	std::uint64_t ForecastNumber = 0;

	FPoint Landmark(std::size_t Index) const
	{
		return {Landmarks[3 * Index], Landmarks[3 * Index + 1], Landmarks[3 * Index + 2]};
	}
};

/** The newest forecast of an avatar, kept from being overwritten while this lives. */
class FForecastLease
{
public:
	FForecastLease() = default;

	FForecastLease(const FLibraryApi& InApi, posebridge_client* InClient, std::int32_t InAvatar)
		: Api(&InApi)
		, Client(InClient)
		, Avatar(InAvatar)
	{
		if (Api->borrow_forecast(Client, Avatar, &Forecast) != POSEBRIDGE_OK)
		{
			Forecast = nullptr;
		}
	}

	~FForecastLease()
	{
		if (Forecast != nullptr)
		{
			Api->release_forecast(Client, Avatar, Forecast);
		}
	}

	FForecastLease(const FForecastLease&) = delete;
	FForecastLease& operator=(const FForecastLease&) = delete;

	FForecastLease(FForecastLease&& Other) noexcept
		: Api(Other.Api)
		, Client(Other.Client)
		, Avatar(Other.Avatar)
		, Forecast(std::exchange(Other.Forecast, nullptr))
	{
	}

	FForecastLease& operator=(FForecastLease&&) = delete;

	/** Null if there was none. */
	const posebridge_forecast* Get() const
	{
		return Forecast;
	}

private:
	const FLibraryApi* Api = nullptr;
	posebridge_client* Client = nullptr;
	std::int32_t Avatar = -1;
	const posebridge_forecast* Forecast = nullptr;
};

/**
 * One connection, used from one thread: the C interface with the bookkeeping that every game needs. Everything is in
 * centimetres and Unreal's axes. Ends the connection and its background thread when it is destroyed.
 */
class FClient
{
public:
	/** Null, and the problem, if the options are not right or the library cannot make a client. */
	static std::unique_ptr<FClient> Create(const FLibraryApi& Api, const FClientOptions& Options, FProblem& OutProblem)
	{
		posebridge_config Config{};
		Config.size = sizeof(Config);
		Api.default_config(&Config);
		Apply(Options, Config);

		posebridge_error Error{};
		Error.size = sizeof(Error);
		posebridge_client* Handle = nullptr;
		const std::int32_t Result = Api.create(&Config, &Handle, &Error);
		if (Result < 0 || Handle == nullptr)
		{
			OutProblem = ProblemFrom(Error, "the connection could not be set up");
			return nullptr;
		}
		return std::unique_ptr<FClient>(new FClient(Api, Handle, Config.landmarks));
	}

	~FClient()
	{
		Api.destroy(Handle);
	}

	FClient(const FClient&) = delete;
	FClient& operator=(const FClient&) = delete;

	bool Connect(FProblem& OutProblem)
	{
		if (Api.connect(Handle) < 0)
		{
			OutProblem = LastProblem("the connection could not be started");
			return false;
		}
		return true;
	}

	void Disconnect()
	{
		Api.disconnect(Handle);
	}

	std::int32_t State() const
	{
		return Api.get_state(Handle);
	}

	/** True, and the error, if there was one since this was last asked. */
	bool TakeNewError(FProblem& OutProblem, std::int32_t& OutCode)
	{
		posebridge_error Error{};
		Error.size = sizeof(Error);
		if (Api.last_error(Handle, &Error) != POSEBRIDGE_OK || Error.count == ErrorsSeen)
		{
			return false;
		}
		ErrorsSeen = Error.count;
		OutCode = Error.code;
		OutProblem = ProblemFrom(Error, "an error without a description");
		return true;
	}

	/** All zero before the first session. */
	posebridge_session Session() const
	{
		posebridge_session Result{};
		Result.size = sizeof(Result);
		Api.get_session(Handle, &Result);
		return Result;
	}

	posebridge_stats Stats() const
	{
		posebridge_stats Result{};
		Result.size = sizeof(Result);
		Api.get_stats(Handle, &Result);
		return Result;
	}

	/** Give OnAlert each change of an alert that is news, at most MaxChanges of them; the rest waits. */
	template <typename CallbackType>
	void PollAlerts(std::size_t MaxChanges, CallbackType OnAlert)
	{
		posebridge_alert Alert{};
		for (std::size_t Change = 0; Change < MaxChanges; ++Change)
		{
			Alert = {};
			Alert.size = sizeof(Alert);
			if (Api.poll_alert(Handle, &Alert) != POSEBRIDGE_OK)
			{
				return;
			}
			if (Alerts.Accept(Alert.id, Alert.revision))
			{
				OnAlert(static_cast<const posebridge_alert&>(Alert));
			}
		}
	}

	/** The avatar's number, or -1 and the problem. The same id gives the same number. */
	std::int32_t AddAvatar(const std::string& AvatarId, FProblem& OutProblem)
	{
		const std::int32_t Avatar = Api.add_avatar(Handle, AvatarId.c_str());
		if (Avatar < 0)
		{
			OutProblem = LastProblem("the avatar was not taken");
			return -1;
		}
		while (Avatars.size() <= static_cast<std::size_t>(Avatar))
		{
			Avatars.emplace_back(LandmarkCount);
		}
		return Avatar;
	}

	/**
	 * Where a frame of this avatar is put together; give it to SendFrame. The avatar must be one that AddAvatar
	 * gave.
	 */
	FFrameBuilder& FrameOf(std::int32_t Avatar)
	{
		return Avatars[static_cast<std::size_t>(Avatar)].Frame;
	}

	/**
	 * Send the frame that FrameOf holds, or that nobody was detected. CaptureSeconds: time of capture on your clock; 0:
	 * now, on the library's. Root: three numbers, centimetres, or null.
	 */
	bool SendFrame(std::int32_t Avatar, bool bDetected, double CaptureSeconds, const double* Root, FProblem& OutProblem)
	{
		FAvatar& Known = Avatars[static_cast<std::size_t>(Avatar)];
		const std::uint64_t Now = Api.now_us();
		std::uint64_t Timestamp = Now;
		if (CaptureSeconds != 0.0 && !MicrosecondsFromSeconds(CaptureSeconds, Timestamp))
		{
			OutProblem = {"Capture Time", std::to_string(CaptureSeconds) + " is not a time",
				"seconds above 0 on the clock of the capture, or 0 for now"};
			return false;
		}
		if (Api.send_frame(Handle, Avatar, Timestamp, bDetected ? Known.Frame.Data() : nullptr, Root, nullptr) < 0)
		{
			OutProblem = LastProblem("the frame was not taken");
			return false;
		}
		Known.Clock.Note(Timestamp, Now);
		return true;
	}

	/** True if there is a forecast that was not yet reported by this call. */
	bool TakeNewForecast(std::int32_t Avatar, std::uint64_t& OutNumber)
	{
		FAvatar& Known = Avatars[static_cast<std::size_t>(Avatar)];
		OutNumber = Api.forecast_number(Handle, Avatar);
		return std::exchange(Known.ForecastsSeen, OutNumber) != OutNumber;
	}

	FForecastLease BorrowForecast(std::int32_t Avatar) const
	{
		return FForecastLease(Api, Handle, Avatar);
	}

	/** Where the avatar is SecondsAhead from now; false before its first forecast and for a time that is none. */
	bool PoseAhead(std::int32_t Avatar, double SecondsAhead, std::int32_t Future, FPoseView& OutPose)
	{
		std::uint64_t Time = 0;
		return Avatars[static_cast<std::size_t>(Avatar)].Clock.Ahead(Api.now_us(), SecondsAhead, Time) &&
			PoseAtMicroseconds(Avatar, Time, Future, OutPose);
	}

	/** Where the avatar is at a time of the clock that its frames are stamped with; false as for PoseAhead. */
	bool PoseAt(std::int32_t Avatar, double TimeSeconds, std::int32_t Future, FPoseView& OutPose)
	{
		std::uint64_t Time = 0;
		return MicrosecondsFromSeconds(TimeSeconds, Time) && PoseAtMicroseconds(Avatar, Time, Future, OutPose);
	}

private:
	/** What is kept of one avatar. */
	struct FAvatar
	{
		explicit FAvatar(std::uint32_t LandmarkCount)
			: Frame(LandmarkCount)
			, Pose(std::size_t{LandmarkCount} * 3, 0.0f)
		{
		}

		FFrameBuilder Frame;
		FFrameClock Clock;
		std::vector<float> Pose;
		std::uint64_t ForecastsSeen = 0;
	};

	FClient(const FLibraryApi& InApi, posebridge_client* InHandle, std::uint32_t InLandmarkCount)
		: Api(InApi)
		, Handle(InHandle)
		, LandmarkCount(InLandmarkCount)
	{
	}

	bool PoseAtMicroseconds(std::int32_t Avatar, std::uint64_t Time, std::int32_t Future, FPoseView& OutPose)
	{
		FAvatar& Known = Avatars[static_cast<std::size_t>(Avatar)];
		posebridge_pose Pose{};
		Pose.size = sizeof(Pose);
		Pose.positions = Known.Pose.data();
		if (Api.pose_at(Handle, Avatar, Time, Future, &Pose) != POSEBRIDGE_OK)
		{
			return false;
		}
		OutPose.Landmarks = Known.Pose.data();
		OutPose.LandmarkCount = LandmarkCount;
		OutPose.bHasRoot = Pose.has_root != 0;
		OutPose.Root = {Pose.root[0], Pose.root[1], Pose.root[2]};
		OutPose.Probability = Pose.probability;
		OutPose.ModeId = Pose.mode_id;
		OutPose.SecondsAhead = SecondsFromSignedMicroseconds(Pose.ahead_us);
		OutPose.SecondsPastEnd = SecondsFromSignedMicroseconds(Pose.beyond_us);
		OutPose.ForecastNumber = Pose.number;
		return true;
	}

	FProblem LastProblem(const char* Otherwise) const
	{
		posebridge_error Error{};
		Error.size = sizeof(Error);
		Api.last_error(Handle, &Error);
		return ProblemFrom(Error, Otherwise);
	}

	static FProblem ProblemFrom(const posebridge_error& Error, const char* Otherwise)
	{
		return {Error.field, Error.problem[0] != '\0' ? Error.problem : Otherwise, Error.expected};
	}

	static void Apply(const FClientOptions& Options, posebridge_config& Config)
	{
		const auto Text = [](const std::string& Value, const char*& Field)
		{
			if (!Value.empty())
			{
				Field = Value.c_str();
			}
		};
		const auto Number = [](auto Value, auto& Field)
		{
			if (Value != 0)
			{
				Field = Value;
			}
		};
		Text(Options.Endpoint, Config.endpoint);
		Text(Options.ClientName, Config.client_name);
		Text(Options.LayoutId, Config.layout_id);
		Number(Options.LandmarkCount, Config.landmarks);
		Number(Options.ForecastRateHz, Config.forecast_rate_hz);
		Number(Options.HorizonMilliseconds, Config.horizon_ms);
		Number(Options.Samples, Config.samples);
		Number(Options.Futures, Config.futures);
		Number(Options.VisibilityThreshold, Config.visibility_threshold);
		Config.anomaly = Options.bWatchMotion ? 1 : 0;
		Number(Options.FalseAlarmsPerHour, Config.false_alarms_per_hour);
		Number(Options.MaxAvatars, Config.max_avatars);
		Number(Options.BlendMilliseconds, Config.blend_ms);
		Number(Options.ExtrapolateMilliseconds, Config.extrapolate_ms);
		Text(Options.ServerPublicKey, Config.server_public_key);
		Text(Options.ClientPublicKey, Config.client_public_key);
		Text(Options.ClientSecretKey, Config.client_secret_key);
		Text(Options.Token, Config.token);
		Config.axes = POSEBRIDGE_AXES_UNREAL;
		Config.log = Options.Log;
		Config.log_user = Options.LogUser;
	}

	const FLibraryApi& Api;
	posebridge_client* Handle;
	std::uint32_t LandmarkCount;
	std::uint64_t ErrorsSeen = 0;
	FAlertLog Alerts;
	std::vector<FAvatar> Avatars;
};

/**
 * Rotations and translations of the humanoid skeleton, each relative to the joint's parent, from the 33 landmarks of
 * "mediapipe.pose.33" (centimetres, Unreal's axes). False if the body has no extent or a number is not finite.
 */
inline bool HumanoidTransforms(const FLibraryApi& Api, const std::array<FPoint, 33>& Landmarks,
	FJointRotations& OutRotations, FJointPoints& OutTranslations)
{
	std::array<float, std::size_t{33} * 3> Values;
	for (std::size_t Index = 0; Index < Landmarks.size(); ++Index)
	{
		Values[3 * Index] = Landmarks[Index].X;
		Values[3 * Index + 1] = Landmarks[Index].Y;
		Values[3 * Index + 2] = Landmarks[Index].Z;
	}
	FJointRotations Global;
	if (Api.joint_rotations(POSEBRIDGE_AXES_UNREAL, Values.data(), OutRotations.data(), Global.data()) != POSEBRIDGE_OK)
	{
		return false;
	}
	OutTranslations = LocalTranslations(JointPositions(Landmarks), Global, Api.joint_parent);
	return true;
}
} // namespace PoseBridgeCore
