// SPDX-License-Identifier: Apache-2.0

// The signatures of UnityEditor that the package uses, and no more, so that its code can be compiled without Unity. Nothing here runs.
// The page in each comment is Unity's public documentation of the real thing, version 2022.3.

using System;
using UnityEngine;

namespace UnityEditor
{
    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorWindow.html</summary>
    public class EditorWindow
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorWindow.GetWindow.html</summary>
        public static T GetWindow<T>(string title) where T : EditorWindow { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorWindow.Repaint.html</summary>
        public void Repaint() { throw new NotImplementedException(); }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/MenuItem.html</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class MenuItem : Attribute { public MenuItem(string itemName) { } }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/InitializeOnLoadAttribute.html</summary>
    [AttributeUsage(AttributeTargets.Class)]
    public class InitializeOnLoadAttribute : Attribute { }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/AssemblyReloadEvents.html</summary>
    public static class AssemblyReloadEvents
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/AssemblyReloadEvents.AssemblyReloadCallback.html</summary>
        public delegate void AssemblyReloadCallback();

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/AssemblyReloadEvents-beforeAssemblyReload.html</summary>
        public static event AssemblyReloadCallback beforeAssemblyReload { add { } remove { } }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorApplication.html</summary>
    public sealed class EditorApplication
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorApplication-isPlaying.html</summary>
        public static bool isPlaying { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorApplication-quitting.html</summary>
        public static event Action quitting { add { } remove { } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorApplication-playModeStateChanged.html</summary>
        public static event Action<PlayModeStateChange> playModeStateChanged { add { } remove { } }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/PlayModeStateChange.html</summary>
    public enum PlayModeStateChange { EnteredEditMode, ExitingEditMode, EnteredPlayMode, ExitingPlayMode }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/MessageType.html</summary>
    public enum MessageType { None, Info, Warning, Error }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorStyles.html</summary>
    public sealed class EditorStyles
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorStyles-boldLabel.html</summary>
        public static GUIStyle boldLabel { get { throw new NotImplementedException(); } }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUIUtility.html</summary>
    public class EditorGUIUtility
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUIUtility-systemCopyBuffer.html</summary>
        public static string systemCopyBuffer { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUIUtility-singleLineHeight.html</summary>
        public static float singleLineHeight { get { throw new NotImplementedException(); } }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.html</summary>
    public sealed class EditorGUILayout
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.LabelField.html</summary>
        public static void LabelField(string label, GUIStyle style, params GUILayoutOption[] options) { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.LabelField.html</summary>
        public static void LabelField(string label, string label2, params GUILayoutOption[] options) { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.SelectableLabel.html</summary>
        public static void SelectableLabel(string text, params GUILayoutOption[] options) { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.HelpBox.html</summary>
        public static void HelpBox(string message, MessageType type) { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.Space.html</summary>
        public static void Space() { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.BeginScrollView.html</summary>
        public static Vector2 BeginScrollView(Vector2 scrollPosition, params GUILayoutOption[] options) { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.EndScrollView.html</summary>
        public static void EndScrollView() { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.BeginHorizontal.html</summary>
        public static Rect BeginHorizontal(params GUILayoutOption[] options) { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/EditorGUILayout.EndHorizontal.html</summary>
        public static void EndHorizontal() { throw new NotImplementedException(); }
    }
}

namespace UnityEngine
{
    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Rect.html</summary>
    public struct Rect { }
}
