// SPDX-License-Identifier: Apache-2.0
// expected: CS1503

internal static class Wrong
{
    internal static void Call()
    {
        new UnityEngine.Vector3("left", 0, 0).ToString(); // wrong
    }
}
