// SPDX-License-Identifier: Apache-2.0

using UnityEditor;

namespace PoseBridge.Editor
{
    /// <summary>
    /// Ends every connection before the editor unloads the scripts that it logs to, and when the editor quits. Unity disables the
    /// components of a running game before a reload; this also holds where an exception in another script kept it from doing so.
    /// </summary>
    [InitializeOnLoad]
    internal static class ConnectionStopper
    {
        static ConnectionStopper()
        {
            AssemblyReloadEvents.beforeAssemblyReload += PoseBridgeConnection.StopAll;
            EditorApplication.quitting += PoseBridgeConnection.StopAll;
            EditorApplication.playModeStateChanged += OnPlayModeStateChanged;
        }

        private static void OnPlayModeStateChanged(PlayModeStateChange change)
        {
            if (change == PlayModeStateChange.EnteredEditMode)
            {
                PoseBridgeConnection.StopAll();
            }
        }
    }
}
