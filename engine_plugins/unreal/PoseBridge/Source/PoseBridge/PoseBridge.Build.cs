// SPDX-License-Identifier: Apache-2.0

using UnrealBuildTool;

public class PoseBridge : ModuleRules
{
	public PoseBridge(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
		CppStandard = CppStandardVersion.Cpp20;

		PublicDependencyModuleNames.AddRange(new string[] {
			"Core",
			"CoreUObject",
			"DeveloperSettings",
			"Engine",
		});

		PrivateDependencyModuleNames.AddRange(new string[] {
			"PoseBridgeLibrary",
			"Projects",
		});
	}
}
