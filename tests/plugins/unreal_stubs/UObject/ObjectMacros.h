// Stand-in for the macros that Unreal Header Tool reads. As in the engine, GENERATED_BODY() becomes what the generated
// header says for its line; tests/plugins/unreal/header_tool.py writes those headers.
// https://dev.epicgames.com/documentation/en-us/unreal-engine/reflection-system-in-unreal-engine
#pragma once

#define UCLASS(...)
#define USTRUCT(...)
#define UENUM(...)
#define UMETA(...)
#define UPROPERTY(...)
#define UFUNCTION(...)
#define BODY_MACRO_COMBINE_INNER(A, B, C, D) A##B##C##D
#define BODY_MACRO_COMBINE(A, B, C, D) BODY_MACRO_COMBINE_INNER(A, B, C, D)
#define GENERATED_BODY(...) BODY_MACRO_COMBINE(CURRENT_FILE_ID, _, __LINE__, _GENERATED_BODY)
