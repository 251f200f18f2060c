// SPDX-License-Identifier: Apache-2.0

using UnrealBuildTool;

public class PoseBridgeLiveLink : ModuleRules
{
	public PoseBridgeLiveLink(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
		CppStandard = CppStandardVersion.Cpp20;

		PublicDependencyModuleNames.AddRange(new string[] {
			"Core",
			"CoreUObject",
			"LiveLinkInterface",
		});

		PrivateDependencyModuleNames.AddRange(new string[] {
			"Engine",
			"PoseBridge",
		});
	}
}
