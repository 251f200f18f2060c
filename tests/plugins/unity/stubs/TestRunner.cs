// SPDX-License-Identifier: Apache-2.0

// The signature of Unity's test framework that the package's tests use, see UnityEngine.cs.

using System;

namespace UnityEngine.TestTools
{
    /// <summary>https://docs.unity3d.com/Packages/com.unity.test-framework@1.1/manual/reference-attribute-unitytest.html</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public class UnityTestAttribute : Attribute { }
}
