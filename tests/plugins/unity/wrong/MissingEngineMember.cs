// SPDX-License-Identifier: Apache-2.0
// expected: CS0117

internal static class Wrong
{
    internal static void Call()
    {
        UnityEngine.Debug.Print("hello", null); // wrong
    }
}
