// SPDX-License-Identifier: Apache-2.0
// expected: CS0535

internal sealed class Wrong : UnityEngine.MonoBehaviour
    , PoseBridge.IPoseSource // wrong
{
    public string LayoutId => "";

    public int LandmarkCount => 33;
}
