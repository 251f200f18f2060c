// SPDX-License-Identifier: Apache-2.0
// expected: CS0123

internal static class Wrong
{
    internal static void Call()
    {
        UnityEditor.AssemblyReloadEvents.beforeAssemblyReload += Stop; // wrong
    }

    private static void Stop(int code)
    {
    }
}
