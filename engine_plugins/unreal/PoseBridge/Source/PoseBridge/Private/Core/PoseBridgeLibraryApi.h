// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "PoseBridgeC.h"
#include "PoseBridgeProblem.h"

#include <cstdlib>
#include <string>

// Every function of the C library that the plugin calls.
// clang-format off
#define POSEBRIDGE_FOR_EACH_FUNCTION(Apply) \
	Apply(version) \
	Apply(now_us) \
	Apply(default_config) \
	Apply(create) \
	Apply(destroy) \
	Apply(connect) \
	Apply(disconnect) \
	Apply(get_state) \
	Apply(last_error) \
	Apply(get_session) \
	Apply(get_stats) \
	Apply(add_avatar) \
	Apply(send_frame) \
	Apply(borrow_forecast) \
	Apply(release_forecast) \
	Apply(forecast_number) \
	Apply(pose_at) \
	Apply(poll_alert) \
	Apply(joint_rotations) \
	Apply(joint_parent) \
	Apply(joint_name)
// clang-format on

namespace PoseBridgeCore
{
/** The functions of the C library, found by name when it was loaded: Api.connect(...) is posebridge_connect(...). */
struct FLibraryApi
{
#define POSEBRIDGE_DECLARE_FUNCTION(Name) decltype(&posebridge_##Name) Name = nullptr;
	POSEBRIDGE_FOR_EACH_FUNCTION(POSEBRIDGE_DECLARE_FUNCTION)
#undef POSEBRIDGE_DECLARE_FUNCTION
};

/** "0.1.0" of the header that the plugin was built with. */
inline std::string HeaderVersion()
{
	return std::to_string(POSEBRIDGE_VERSION_MAJOR) + "." + std::to_string(POSEBRIDGE_VERSION_MINOR) + "." +
		std::to_string(POSEBRIDGE_VERSION_PATCH);
}

/** A library and a header go together if the first number of their versions is the same. Names both if they do not. */
inline FProblem CheckLibraryVersion(const char* LibraryVersion)
{
	const std::string Version = LibraryVersion == nullptr ? "" : LibraryVersion;
	char* End = nullptr;
	const long Major = std::strtol(Version.c_str(), &End, 10);
	if (End == Version.c_str() || *End != '.' || Major != POSEBRIDGE_VERSION_MAJOR)
	{
		return {"library version",
			"the PoseBridge library is version \"" + Version + "\", the plugin was built for " + HeaderVersion(),
			"a library of version " + std::to_string(POSEBRIDGE_VERSION_MAJOR) +
				".x; take plugin and library from the same release"};
	}
	return {};
}

/**
 * Fill the table in and check the version. Find(name) gives the address of an exported function, null if there is none.
 * After a problem the table must not be used.
 */
template <typename FindFunctionType>
FProblem LoadLibraryApi(FLibraryApi& Out, FindFunctionType Find)
{
	// The version first: a function that is missing because the versions differ is then called by its right name.
	using FVersionFunction = decltype(&posebridge_version);
	const FVersionFunction Version = reinterpret_cast<FVersionFunction>(Find("posebridge_version"));
	if (Version == nullptr)
	{
		return {"library", "it has no function posebridge_version", "the PoseBridge library"};
	}
	FProblem Problem = CheckLibraryVersion(Version());
	if (Problem.IsSet())
	{
		return Problem;
	}
#define POSEBRIDGE_FIND_FUNCTION(Name) \
	Out.Name = reinterpret_cast<decltype(&posebridge_##Name)>(Find("posebridge_" #Name)); \
	if (Out.Name == nullptr) \
	{ \
		return {"library", std::string("version ") + Version() + " has no function posebridge_" #Name, \
			"version " + HeaderVersion() + ", which the plugin was built for, or a newer one"}; \
	}
	POSEBRIDGE_FOR_EACH_FUNCTION(POSEBRIDGE_FIND_FUNCTION)
#undef POSEBRIDGE_FIND_FUNCTION
	return {};
}
} // namespace PoseBridgeCore
