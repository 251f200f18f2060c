// Stand-in for log categories and UE_LOG.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/logging-in-unreal-engine
#pragma once

#include "Containers/UnrealString.h"

#include <mutex>

namespace ELogVerbosity
{
enum Type
{
	Fatal,
	Error,
	Warning,
	Display,
	Log,
	Verbose,
	All
};
}

/** What was logged, of any thread. */
struct FStandInLog
{
	void Add(ELogVerbosity::Type Verbosity, std::string Line)
	{
		const std::lock_guard<std::mutex> Guard(Mutex);
		Lines.push_back((Verbosity == ELogVerbosity::Error            ? "Error: "
								: Verbosity == ELogVerbosity::Warning ? "Warning: "
																	  : "") +
			Line);
	}
	int32 Count(const std::string& Part)
	{
		const std::lock_guard<std::mutex> Guard(Mutex);
		int32 Found = 0;
		for (const std::string& Line : Lines)
		{
			Found += Line.find(Part) != std::string::npos ? 1 : 0;
		}
		return Found;
	}

	std::mutex Mutex;
	std::vector<std::string> Lines;
};
inline FStandInLog StandInLog;

struct FLogCategoryBase
{
	template <int32 Length, CPrintfArgument... Types>
	void StandInWrite(ELogVerbosity::Type Verbosity, const TCHAR (&Format)[Length], Types... Arguments) const
	{
		StandInLog.Add(Verbosity, FString::Printf(Format, Arguments...).StandInUtf8());
	}
};

#define DECLARE_LOG_CATEGORY_EXTERN(Name, Default, CompileTime) \
	extern struct FLogCategory##Name : public FLogCategoryBase \
	{ \
	} Name
#define DEFINE_LOG_CATEGORY(Name) FLogCategory##Name Name
#define UE_LOG(Category, Verbosity, Format, ...) \
	Category.StandInWrite(ELogVerbosity::Verbosity, Format __VA_OPT__(, ) __VA_ARGS__)
