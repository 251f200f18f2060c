// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "Core/PoseBridgeAxes.h"
#include "Core/PoseBridgeC.h"
#include "CoreMinimal.h"
#include "PoseBridgeTypes.h"

#include <string>

class UPoseBridgeSettings;

namespace PoseBridgeCore
{
struct FClientOptions;
struct FPoseView;
} // namespace PoseBridgeCore

/** Between the library's types and Unreal's. */
namespace PoseBridgeConvert
{
inline FVector ToVector(PoseBridgeCore::FPoint Point)
{
	return FVector(Point.X, Point.Y, Point.Z);
}

inline PoseBridgeCore::FPoint ToPoint(const FVector& Vector)
{
	return {static_cast<float>(Vector.X), static_cast<float>(Vector.Y), static_cast<float>(Vector.Z)};
}

inline FString ToText(const std::string& Text)
{
	return FString(UTF8_TO_TCHAR(Text.c_str()));
}

inline std::string ToUtf8(const FString& Text)
{
	return std::string(TCHAR_TO_UTF8(*Text));
}

EPoseBridgeState ToState(int32 State);
FPoseBridgeAlert ToAlert(const posebridge_alert& Alert);
FPoseBridgeSession ToSession(const posebridge_session& Session);
FPoseBridgeStats ToStats(const posebridge_stats& Stats);

/** Fill in a pose; memory that it holds already is used again. */
void FillPose(const PoseBridgeCore::FPoseView& Pose, FPoseBridgePose& OutPose);

/** Fill in a forecast; memory that it holds already is used again. */
void FillForecast(const posebridge_forecast& Forecast, FPoseBridgeForecast& OutForecast);

/** The project settings, and what the environment variables that they name hold. */
PoseBridgeCore::FClientOptions ToOptions(const UPoseBridgeSettings& Settings, const FString& Endpoint);
} // namespace PoseBridgeConvert
