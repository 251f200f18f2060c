// SPDX-License-Identifier: Apache-2.0

using System.IO;
using UnrealBuildTool;

/// <summary>
/// The PoseBridge C library. Its header is needed to compile. Its binary is loaded by name when the plugin starts: linked with
/// PublicDelayLoadDLLs it would need an import library on Windows, and elsewhere a missing file would keep the whole plugin
/// from loading, without a word about why. The binary is staged with the game.
/// </summary>
public class PoseBridgeLibrary : ModuleRules
{
	public PoseBridgeLibrary(ReadOnlyTargetRules Target) : base(Target)
	{
		Type = ModuleType.External;

		PublicSystemIncludePaths.Add(FindIncludeFolder());

		// The library, and what it needs beside it: copied when the plugin is built, staged when the game is packaged.
		// PoseBridgeLibraryLoader.cpp looks there first.
		string Platform = Target.Platform.ToString();
		string Folder = Path.Combine(ModuleDirectory, "lib", Platform);
		string[] Files = Directory.Exists(Folder) ? Directory.GetFiles(Folder) : new string[0];
		foreach (string Source in Files)
		{
			RuntimeDependencies.Add(
				Path.Combine("$(PluginDir)", "Binaries", "ThirdParty", "posebridge", Platform, Path.GetFileName(Source)),
				Source);
		}
		if (Files.Length == 0)
		{
			System.Console.WriteLine(
				"PoseBridge: warning: {0} is empty. The plugin compiles, but cannot connect. See README.md in {1}.",
				Folder, ModuleDirectory);
		}
	}

	/// <summary>The folder that holds posebridge/posebridge.h: a copy beside this file, else the one of a checkout.</summary>
	private string FindIncludeFolder()
	{
		string Copied = Path.Combine(ModuleDirectory, "include");
		string Checkout = Path.GetFullPath(Path.Combine(ModuleDirectory, "..", "..", "..", "..", "..", "native", "include"));
		foreach (string Folder in new string[] { Copied, Checkout })
		{
			if (File.Exists(Path.Combine(Folder, "posebridge", "posebridge.h")))
			{
				return Folder;
			}
		}
		throw new BuildException(
			"PoseBridge: posebridge.h not found. Copy engine_plugins/native/include/posebridge/posebridge.h to {0}.",
			Path.Combine(Copied, "posebridge", "posebridge.h"));
	}
}
