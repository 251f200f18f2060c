// SPDX-License-Identifier: Apache-2.0

// The signatures of UnityEngine that the package uses, and no more, so that its code can be compiled without Unity. What the
// components need to run in a test does the least that is right (see FakePlayer.cs); the rest throws.
// The page in each comment is Unity's public documentation of the real thing, version 2022.3.

using System;
using System.Collections.Generic;
using System.Linq;
using PoseBridge.Tests.Fakes;
using UnityEngine.SceneManagement;

namespace UnityEngine
{
    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Object.html</summary>
    public class Object
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Object-name.html</summary>
        public string name { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Object-hideFlags.html</summary>
        public HideFlags hideFlags { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Object.GetInstanceID.html</summary>
        public int GetInstanceID() { return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Object.Destroy.html</summary>
        public static void Destroy(Object obj) { DestroyImmediate(obj); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Object.DestroyImmediate.html</summary>
        public static void DestroyImmediate(Object obj)
        {
            GameObject owner = obj as GameObject;
            if (owner != null)
            {
                owner.SetActive(false);
                FakePlayer.Objects.Remove(owner);
            }
        }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Object-operator_eq.html</summary>
        public static bool operator ==(Object x, Object y) { return ReferenceEquals(x, y); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Object-operator_ne.html</summary>
        public static bool operator !=(Object x, Object y) { return !ReferenceEquals(x, y); }

        public override bool Equals(object other) { return ReferenceEquals(this, other); }

        public override int GetHashCode() { return GetInstanceID(); }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/HideFlags.html</summary>
    [Flags]
    public enum HideFlags { None = 0, HideAndDontSave = 61, DontSave = 52 }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Component.html</summary>
    public class Component : Object
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Component-gameObject.html</summary>
        public GameObject gameObject { get { return Owner; } }

        internal GameObject Owner;

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Component-transform.html</summary>
        public Transform transform { get { return Owner.transform; } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Component.GetComponent.html</summary>
        public T GetComponent<T>() { return Owner.GetComponent<T>(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Component.GetComponentInParent.html</summary>
        public T GetComponentInParent<T>() { return Owner.GetComponent<T>(); }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Behaviour.html</summary>
    public class Behaviour : Component
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Behaviour-enabled.html</summary>
        public bool enabled
        {
            get { return _enabled; }
            set
            {
                if (value != _enabled)
                {
                    _enabled = value;
                    Owner.Notify(this, value && Owner.activeSelf);
                }
            }
        }

        private bool _enabled = true;
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/MonoBehaviour.html</summary>
    public class MonoBehaviour : Behaviour
    {
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject.html</summary>
    public sealed class GameObject : Object
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject-ctor.html</summary>
        public GameObject(string name)
        {
            this.name = name;
            transform = new Transform { Owner = this };
            FakePlayer.Objects.Add(this);
        }

        internal readonly List<Component> Components = new List<Component>();

        internal void Notify(Component component, bool on)
        {
            MonoBehaviour behaviour = component as MonoBehaviour;
            if (behaviour != null && _on.Contains(behaviour) != on)
            {
                if (on) { _on.Add(behaviour); } else { _on.Remove(behaviour); }
                FakePlayer.Call(behaviour, on ? "OnEnable" : "OnDisable");
            }
        }

        private readonly HashSet<MonoBehaviour> _on = new HashSet<MonoBehaviour>();

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject-activeSelf.html</summary>
        public bool activeSelf { get; private set; } = true;

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject-scene.html</summary>
        public Scene scene { get { return SceneManager.GetActiveScene(); } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject-layer.html</summary>
        public int layer { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject-tag.html</summary>
        public string tag { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject-transform.html</summary>
        public Transform transform { get; private set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject.AddComponent.html</summary>
        public T AddComponent<T>() where T : Component
        {
            T component = Activator.CreateInstance<T>();
            component.Owner = this;
            Components.Add(component);
            Notify(component, activeSelf);
            return component;
        }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject.GetComponent.html</summary>
        public T GetComponent<T>() { return Components.OfType<T>().FirstOrDefault(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GameObject.SetActive.html</summary>
        public void SetActive(bool value)
        {
            activeSelf = value;
            foreach (Component component in Components.ToArray())
            {
                Behaviour behaviour = component as Behaviour;
                Notify(component, value && behaviour != null && behaviour.enabled);
            }
        }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Transform.html</summary>
    public class Transform : Component
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Transform-position.html</summary>
        public Vector3 position { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Transform-rotation.html</summary>
        public Quaternion rotation
        {
            get { return parent == null ? localRotation : parent.rotation * localRotation; }
            set { localRotation = parent == null ? value : Quaternion.Inverse(parent.rotation) * value; }
        }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Transform-localRotation.html</summary>
        public Quaternion localRotation { get; set; } = Quaternion.identity;

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Transform-parent.html</summary>
        public Transform parent { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Transform-localToWorldMatrix.html</summary>
        public Matrix4x4 localToWorldMatrix { get { return default(Matrix4x4); } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Transform.TransformPoint.html</summary>
        public Vector3 TransformPoint(Vector3 position) { return rotation * position + this.position; }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Vector2.html</summary>
    public struct Vector2
    {
        public float x;
        public float y;
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Vector3.html</summary>
    public struct Vector3
    {
        public float x;
        public float y;
        public float z;

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Vector3-ctor.html</summary>
        public Vector3(float x, float y, float z) { this.x = x; this.y = y; this.z = z; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Vector3-zero.html</summary>
        public static Vector3 zero { get { return default(Vector3); } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Vector3.Lerp.html</summary>
        public static Vector3 Lerp(Vector3 a, Vector3 b, float t)
        {
            return new Vector3(a.x + t * (b.x - a.x), a.y + t * (b.y - a.y), a.z + t * (b.z - a.z));
        }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Vector3-operator_add.html</summary>
        public static Vector3 operator +(Vector3 a, Vector3 b) { return new Vector3(a.x + b.x, a.y + b.y, a.z + b.z); }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Quaternion.html</summary>
    public struct Quaternion
    {
        public float x;
        public float y;
        public float z;
        public float w;

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Quaternion-ctor.html</summary>
        public Quaternion(float x, float y, float z, float w) { this.x = x; this.y = y; this.z = z; this.w = w; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Quaternion-identity.html</summary>
        public static Quaternion identity { get { return new Quaternion(0, 0, 0, 1); } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Quaternion.Slerp.html</summary>
        public static Quaternion Slerp(Quaternion a, Quaternion b, float t)
        {
            // The ends are all that a test asks for.
            return t == 0 ? a : t == 1 ? b : throw new NotImplementedException();
        }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Quaternion.Inverse.html</summary>
        public static Quaternion Inverse(Quaternion rotation)
        {
            return new Quaternion(-rotation.x, -rotation.y, -rotation.z, rotation.w);
        }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Quaternion-operator_multiply.html</summary>
        public static Vector3 operator *(Quaternion rotation, Vector3 point)
        {
            Quaternion turned = rotation * new Quaternion(point.x, point.y, point.z, 0) * Inverse(rotation);
            return new Vector3(turned.x, turned.y, turned.z);
        }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Quaternion-operator_multiply.html</summary>
        public static Quaternion operator *(Quaternion lhs, Quaternion rhs)
        {
            return new Quaternion(
                lhs.w * rhs.x + lhs.x * rhs.w + lhs.y * rhs.z - lhs.z * rhs.y,
                lhs.w * rhs.y + lhs.y * rhs.w + lhs.z * rhs.x - lhs.x * rhs.z,
                lhs.w * rhs.z + lhs.z * rhs.w + lhs.x * rhs.y - lhs.y * rhs.x,
                lhs.w * rhs.w - lhs.x * rhs.x - lhs.y * rhs.y - lhs.z * rhs.z);
        }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Matrix4x4.html</summary>
    public struct Matrix4x4
    {
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Color.html</summary>
    public struct Color
    {
        public float r;
        public float g;
        public float b;
        public float a;

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Color-ctor.html</summary>
        public Color(float r, float g, float b) { this.r = r; this.g = g; this.b = b; a = 1; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Color-white.html</summary>
        public static Color white { get { return new Color(1, 1, 1); } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Color-green.html</summary>
        public static Color green { get { return new Color(0, 1, 0); } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Color-yellow.html</summary>
        public static Color yellow { get { return new Color(1, 0.92f, 0.016f); } }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Color32.html</summary>
    public struct Color32
    {
        public byte r;
        public byte g;
        public byte b;
        public byte a;

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Color32-ctor.html</summary>
        public Color32(byte r, byte g, byte b, byte a) { this.r = r; this.g = g; this.b = b; this.a = a; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Color32-operator_Color32.html</summary>
        public static implicit operator Color32(Color c)
        {
            return new Color32((byte)(255 * c.r), (byte)(255 * c.g), (byte)(255 * c.b), (byte)(255 * c.a));
        }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Mathf.html</summary>
    public struct Mathf
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Mathf.Clamp01.html</summary>
        public static float Clamp01(float value) { return value < 0 ? 0 : value > 1 ? 1 : value; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Mathf.Min.html</summary>
        public static int Min(int a, int b) { return a < b ? a : b; }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Mesh.html</summary>
    public sealed class Mesh : Object
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Mesh.MarkDynamic.html</summary>
        public void MarkDynamic() { }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Mesh.SetVertices.html</summary>
        public void SetVertices(Vector3[] inVertices) { Vertices = inVertices; }

        internal Vector3[] Vertices;
        internal Color32[] Colors;

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Mesh.SetColors.html</summary>
        public void SetColors(Color32[] inColors) { Colors = inColors; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Mesh.SetIndices.html</summary>
        public void SetIndices(int[] indices, MeshTopology topology, int submesh) { }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Mesh.RecalculateBounds.html</summary>
        public void RecalculateBounds() { }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/MeshTopology.html</summary>
    public enum MeshTopology { Triangles = 0, Quads = 2, Lines = 3, LineStrip = 4, Points = 5 }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Shader.html</summary>
    public sealed class Shader : Object
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Shader.Find.html</summary>
        public static Shader Find(string name) { return new Shader(); }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Material.html</summary>
    public class Material : Object
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Material-ctor.html</summary>
        public Material(Shader shader) { }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Graphics.html</summary>
    public class Graphics
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Graphics.DrawMesh.html</summary>
        public static void DrawMesh(Mesh mesh, Matrix4x4 matrix, Material material, int layer)
        {
            FakePlayer.Drawings.Add(new Drawing { Vertices = mesh.Vertices, Colors = mesh.Colors });
        }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Gizmos.html</summary>
    public sealed class Gizmos
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Gizmos-matrix.html</summary>
        public static Matrix4x4 matrix { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Gizmos-color.html</summary>
        public static Color color { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Gizmos.DrawLine.html</summary>
        public static void DrawLine(Vector3 from, Vector3 to) { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Gizmos.DrawSphere.html</summary>
        public static void DrawSphere(Vector3 center, float radius) { throw new NotImplementedException(); }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Camera.html</summary>
    public sealed class Camera : Behaviour
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Camera-main.html</summary>
        public static Camera main { get { return null; } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Camera-clearFlags.html</summary>
        public CameraClearFlags clearFlags { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Camera-backgroundColor.html</summary>
        public Color backgroundColor { get; set; }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/CameraClearFlags.html</summary>
    public enum CameraClearFlags { Skybox = 1, SolidColor = 2, Depth = 3, Nothing = 4 }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/TextAsset.html</summary>
    public class TextAsset : Object
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/TextAsset-bytes.html</summary>
        public byte[] bytes { get { return Content; } }

        public byte[] Content;
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Application.html</summary>
    public class Application
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Application-isPlaying.html</summary>
        public static bool isPlaying { get { return true; } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Application-streamingAssetsPath.html</summary>
        public static string streamingAssetsPath { get { throw new NotImplementedException(); } }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Debug.html</summary>
    public class Debug
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Debug.Log.html</summary>
        public static void Log(object message, Object context) { Write("Info", message); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Debug.LogWarning.html</summary>
        public static void LogWarning(object message, Object context) { Write("Warning", message); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Debug.LogError.html</summary>
        public static void LogError(object message, Object context) { Write("Error", message); }

        private static void Write(string level, object message)
        {
            FakePlayer.Console.Add(new ConsoleLine { Level = level, Text = message.ToString() });
        }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Animator.html</summary>
    public class Animator : Behaviour
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Animator-isHuman.html</summary>
        public bool isHuman { get { return true; } }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Animator-avatar.html</summary>
        public Avatar avatar { get; set; }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Animator.GetBoneTransform.html</summary>
        public Transform GetBoneTransform(HumanBodyBones humanBoneId)
        {
            Transform bone;
            return Bones.TryGetValue(humanBoneId, out bone) ? bone : null;
        }

        public readonly Dictionary<HumanBodyBones, Transform> Bones = new Dictionary<HumanBodyBones, Transform>();
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Avatar.html</summary>
    public class Avatar : Object
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Avatar-humanDescription.html</summary>
        public HumanDescription humanDescription { get; set; }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/HumanDescription.html</summary>
    public struct HumanDescription
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/HumanDescription-skeleton.html</summary>
        public SkeletonBone[] skeleton;
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/SkeletonBone.html</summary>
    public struct SkeletonBone
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/SkeletonBone-name.html</summary>
        public string name;

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/SkeletonBone-rotation.html</summary>
        public Quaternion rotation;
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/HumanBodyBones.html</summary>
    public enum HumanBodyBones
    {
        Hips, LeftUpperLeg, RightUpperLeg, LeftLowerLeg, RightLowerLeg, LeftFoot, RightFoot, Spine, Chest, Neck, Head, LeftShoulder,
        RightShoulder, LeftUpperArm, RightUpperArm, LeftLowerArm, RightLowerArm, LeftHand, RightHand,
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/SerializeField.html</summary>
    [AttributeUsage(AttributeTargets.Field)]
    public sealed class SerializeField : Attribute { }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/TooltipAttribute.html</summary>
    [AttributeUsage(AttributeTargets.Field)]
    public class TooltipAttribute : Attribute { public TooltipAttribute(string tooltip) { } }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/RangeAttribute.html</summary>
    [AttributeUsage(AttributeTargets.Field)]
    public sealed class RangeAttribute : Attribute { public RangeAttribute(float min, float max) { } }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/MinAttribute.html</summary>
    [AttributeUsage(AttributeTargets.Field)]
    public sealed class MinAttribute : Attribute { public MinAttribute(float min) { } }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/AddComponentMenu.html</summary>
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class AddComponentMenu : Attribute { public AddComponentMenu(string menuName) { } }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/DisallowMultipleComponent.html</summary>
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class DisallowMultipleComponent : Attribute { }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/DefaultExecutionOrder.html</summary>
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class DefaultExecutionOrder : Attribute { public DefaultExecutionOrder(int order) { this.order = order; } internal readonly int order; }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/RuntimeInitializeOnLoadMethodAttribute.html</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public class RuntimeInitializeOnLoadMethodAttribute : Attribute
    {
        public RuntimeInitializeOnLoadMethodAttribute(RuntimeInitializeLoadType loadType) { }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/RuntimeInitializeLoadType.html</summary>
    public enum RuntimeInitializeLoadType { AfterSceneLoad = 0, BeforeSceneLoad, AfterAssembliesLoaded, BeforeSplashScreen, SubsystemRegistration }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GUILayout.html</summary>
    public class GUILayout
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GUILayout.Button.html</summary>
        public static bool Button(string text, params GUILayoutOption[] options) { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GUILayout.Width.html</summary>
        public static GUILayoutOption Width(float width) { throw new NotImplementedException(); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GUILayout.Height.html</summary>
        public static GUILayoutOption Height(float height) { throw new NotImplementedException(); }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GUILayoutOption.html</summary>
    public class GUILayoutOption { }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/GUIStyle.html</summary>
    public class GUIStyle { }
}

namespace UnityEngine.SceneManagement
{
    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/SceneManagement.Scene.html</summary>
    public struct Scene
    {
        public static bool operator ==(Scene lhs, Scene rhs) { return true; }

        public static bool operator !=(Scene lhs, Scene rhs) { return false; }

        public override bool Equals(object other) { return other is Scene; }

        public override int GetHashCode() { return 0; }
    }

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/SceneManagement.SceneManager.html</summary>
    public class SceneManager
    {
        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/SceneManagement.SceneManager.GetActiveScene.html</summary>
        public static Scene GetActiveScene() { return default(Scene); }
    }
}

namespace UnityEngine.Events
{
    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Events.UnityAction.html</summary>
    public delegate void UnityAction<T0>(T0 arg0);

    /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Events.UnityEvent_1.html</summary>
    public class UnityEvent<T0>
    {
        public void Invoke(T0 arg0) { _listeners?.Invoke(arg0); }

        /// <summary>https://docs.unity3d.com/2022.3/Documentation/ScriptReference/Events.UnityEvent_1.AddListener.html</summary>
        public void AddListener(UnityAction<T0> call) { _listeners += call; }

        private UnityAction<T0> _listeners;
    }
}
