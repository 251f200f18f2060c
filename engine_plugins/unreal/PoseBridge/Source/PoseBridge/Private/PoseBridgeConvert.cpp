// SPDX-License-Identifier: Apache-2.0

#include "PoseBridgeConvert.h"

#include "Core/PoseBridgeClient.h"
#include "Core/PoseBridgeForecastView.h"
#include "HAL/PlatformMisc.h"
#include "PoseBridgeSettings.h"

namespace PoseBridgeConvert
{
namespace
{
EPoseBridgeAlertState ToAlertState(int32 State)
{
	switch (State)
	{
	case POSEBRIDGE_ALERT_RAISED:
		return EPoseBridgeAlertState::Raised;
	case POSEBRIDGE_ALERT_UPDATED:
		return EPoseBridgeAlertState::Updated;
	case POSEBRIDGE_ALERT_CLEARED:
		return EPoseBridgeAlertState::Cleared;
	case POSEBRIDGE_ALERT_ACKNOWLEDGED:
		return EPoseBridgeAlertState::Acknowledged;
	default:
		return EPoseBridgeAlertState::Unknown;
	}
}

EPoseBridgeSeverity ToSeverity(int32 Severity)
{
	switch (Severity)
	{
	case 1:
		return EPoseBridgeSeverity::Low;
	case 2:
		return EPoseBridgeSeverity::Medium;
	case 3:
		return EPoseBridgeSeverity::High;
	default:
		return EPoseBridgeSeverity::Unknown;
	}
}

/** Settings are int32 because Blueprint has no unsigned numbers; the editor keeps them from being negative. */
uint32 ToUnsigned(int32 Value)
{
	return Value > 0 ? static_cast<uint32>(Value) : 0;
}
} // namespace

EPoseBridgeState ToState(int32 State)
{
	switch (State)
	{
	case POSEBRIDGE_CONNECTING:
		return EPoseBridgeState::Connecting;
	case POSEBRIDGE_READY:
		return EPoseBridgeState::Ready;
	case POSEBRIDGE_DRAINING:
		return EPoseBridgeState::Draining;
	case POSEBRIDGE_REFUSED:
		return EPoseBridgeState::Refused;
	default:
		return EPoseBridgeState::Disconnected;
	}
}

FPoseBridgeAlert ToAlert(const posebridge_alert& Alert)
{
	FPoseBridgeAlert Result;
	Result.Id = FString(UTF8_TO_TCHAR(Alert.id));
	Result.Revision = static_cast<int32>(Alert.revision);
	Result.State = ToAlertState(Alert.state);
	Result.AvatarId = FString(UTF8_TO_TCHAR(Alert.avatar_id));
	Result.Severity = ToSeverity(Alert.severity);
	Result.StartedSeconds = PoseBridgeCore::SecondsFromMicroseconds(Alert.started_us);
	Result.RaisedSeconds = PoseBridgeCore::SecondsFromMicroseconds(Alert.raised_us);
	Result.EndedSeconds = PoseBridgeCore::SecondsFromMicroseconds(Alert.ended_us);
	Result.PValue = Alert.p_value;
	Result.Score = Alert.score;
	Result.Threshold = Alert.threshold;
	const uint32 JointCount = FMath::Min<uint32>(Alert.joint_count, UE_ARRAY_COUNT(Alert.joints));
	for (uint32 Index = 0; Index < JointCount; ++Index)
	{
		const posebridge_joint& Joint = Alert.joints[Index];
		FPoseBridgeAlertJoint& Added = Result.Joints.AddDefaulted_GetRef();
		Added.Name = FString(UTF8_TO_TCHAR(Joint.name));
		Added.Landmark = static_cast<int32>(Joint.landmark);
		Added.Share = Joint.share;
	}
	return Result;
}

FPoseBridgeSession ToSession(const posebridge_session& Session)
{
	FPoseBridgeSession Result;
	Result.ServerVersion = FString(UTF8_TO_TCHAR(Session.server_version));
	Result.ProtocolVersion = static_cast<int32>(Session.protocol_version);
	Result.WarmUpSeconds = Session.rate_hz > 0.0f ? static_cast<float>(Session.context_frames) / Session.rate_hz : 0.0f;
	Result.HorizonSeconds = static_cast<float>(Session.horizon_ms) / 1000.0f;
	Result.FutureCount = static_cast<int32>(Session.futures);
	Result.ForecastRateHz = Session.forecast_rate_hz;
	Result.bMotionIsWatched = Session.false_alarms_per_hour > 0.0f;
	return Result;
}

FPoseBridgeStats ToStats(const posebridge_stats& Stats)
{
	FPoseBridgeStats Result;
	Result.Sessions = static_cast<int64>(Stats.sessions);
	Result.FramesSent = static_cast<int64>(Stats.frames_sent);
	Result.FramesDropped = static_cast<int64>(Stats.frames_dropped);
	Result.FrameErrors = static_cast<int64>(Stats.frame_errors);
	Result.Forecasts = static_cast<int64>(Stats.forecasts);
	Result.Alerts = static_cast<int64>(Stats.alerts);
	Result.LatencyMilliseconds = static_cast<double>(Stats.latency_us) / 1000.0;
	return Result;
}

void FillPose(const PoseBridgeCore::FPoseView& Pose, FPoseBridgePose& OutPose)
{
	const int32 Count = static_cast<int32>(Pose.LandmarkCount);
	OutPose.Landmarks.SetNumUninitialized(Count);
	for (int32 Index = 0; Index < Count; ++Index)
	{
		OutPose.Landmarks[Index] = ToVector(Pose.Landmark(static_cast<size_t>(Index)));
	}
	OutPose.Root = ToVector(Pose.Root);
	OutPose.bHasRoot = Pose.bHasRoot;
	OutPose.Probability = Pose.Probability;
	OutPose.FutureId = static_cast<int32>(Pose.ModeId);
	OutPose.SecondsAhead = Pose.SecondsAhead;
	OutPose.SecondsPastEnd = Pose.SecondsPastEnd;
	OutPose.ForecastNumber = static_cast<int64>(Pose.ForecastNumber);
}

void FillForecast(const posebridge_forecast& Forecast, FPoseBridgeForecast& OutForecast)
{
	const PoseBridgeCore::FForecastView View(Forecast);
	OutForecast.Number = static_cast<int64>(Forecast.number);
	OutForecast.BasedOnSeconds = PoseBridgeCore::SecondsFromMicroseconds(Forecast.based_on_timestamp_us);
	OutForecast.StepSeconds = PoseBridgeCore::SecondsFromMicroseconds(Forecast.step_us);
	OutForecast.StepCount = static_cast<int32>(View.NumSteps());
	OutForecast.LandmarkCount = static_cast<int32>(View.NumLandmarks());
	OutForecast.PValue = Forecast.p_value;
	OutForecast.Evidence = Forecast.evidence;
	OutForecast.bDegraded = Forecast.degraded != 0;
	OutForecast.ServerSeconds = PoseBridgeCore::SecondsFromMicroseconds(Forecast.age_us);

	OutForecast.Futures.SetNum(static_cast<int32>(View.NumFutures()));
	for (uint32 Future = 0; Future < View.NumFutures(); ++Future)
	{
		FPoseBridgeFuture& Out = OutForecast.Futures[static_cast<int32>(Future)];
		Out.Probability = View.Probability(Future);
		Out.FutureId = static_cast<int32>(View.ModeId(Future));
		Out.Landmarks.Reset(OutForecast.StepCount * OutForecast.LandmarkCount);
		Out.Roots.Reset(View.HasRoots() ? OutForecast.StepCount : 0);
		for (uint32 Step = 0; Step < View.NumSteps(); ++Step)
		{
			PoseBridgeCore::FPoint Point;
			if (View.Root(Future, Step, Point))
			{
				Out.Roots.Add(ToVector(Point));
			}
			for (uint32 Landmark = 0; Landmark < View.NumLandmarks(); ++Landmark)
			{
				if (View.Position(Future, Step, Landmark, Point))
				{
					Out.Landmarks.Add(ToVector(Point));
				}
			}
		}
	}

	OutForecast.Spread.Reset(OutForecast.StepCount * OutForecast.LandmarkCount);
	for (uint32 Step = 0; Step < View.NumSteps(); ++Step)
	{
		for (uint32 Landmark = 0; Landmark < View.NumLandmarks(); ++Landmark)
		{
			OutForecast.Spread.Add(View.Spread(Step, Landmark));
		}
	}
}

PoseBridgeCore::FClientOptions ToOptions(const UPoseBridgeSettings& Settings, const FString& Endpoint)
{
	const auto Environment = [](const FString& Variable)
	{
		return Variable.IsEmpty() ? std::string() : ToUtf8(FPlatformMisc::GetEnvironmentVariable(*Variable));
	};
	PoseBridgeCore::FClientOptions Options;
	Options.Endpoint = ToUtf8(Endpoint);
	Options.ClientName = ToUtf8(Settings.ClientName);
	Options.LayoutId = ToUtf8(Settings.LayoutId);
	Options.LandmarkCount = ToUnsigned(Settings.LandmarkCount);
	Options.ForecastRateHz = Settings.ForecastRateHz;
	Options.HorizonMilliseconds = ToUnsigned(Settings.HorizonMilliseconds);
	Options.Samples = ToUnsigned(Settings.SampleCount);
	Options.Futures = ToUnsigned(Settings.FutureCount);
	Options.VisibilityThreshold = Settings.VisibilityThreshold;
	Options.bWatchMotion = Settings.bWatchMotion;
	Options.FalseAlarmsPerHour = Settings.FalseAlarmsPerHour;
	Options.MaxAvatars = ToUnsigned(Settings.MaxAvatars);
	Options.BlendMilliseconds = ToUnsigned(Settings.BlendMilliseconds);
	Options.ExtrapolateMilliseconds = ToUnsigned(Settings.ExtrapolateMilliseconds);
	Options.ServerPublicKey = ToUtf8(Settings.ServerPublicKey);
	Options.ClientPublicKey = ToUtf8(Settings.ClientPublicKey);
	Options.Token = Environment(Settings.TokenVariable);
	// A secret key in the environment alone, for some other program, must not make this connection an encrypted one.
	if (!Options.ServerPublicKey.empty() || !Options.ClientPublicKey.empty())
	{
		Options.ClientSecretKey = Environment(Settings.ClientSecretKeyVariable);
	}
	return Options;
}
} // namespace PoseBridgeConvert
