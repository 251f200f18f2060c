// SPDX-License-Identifier: Apache-2.0

// What makes the stubs move: an object's life and the order of calls in a frame, as Unity's manual describes them, as far as the
// package's components need it.
// https://docs.unity3d.com/2022.3/Documentation/Manual/ExecutionOrder.html

using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using UnityEngine;

namespace PoseBridge.Tests.Fakes
{
    /// <summary>A line that a component wrote to the console.</summary>
    public struct ConsoleLine
    {
        public string Level;
        public string Text;
    }

    /// <summary>A mesh as it was drawn in the last frame.</summary>
    public struct Drawing
    {
        public Vector3[] Vertices;
        public Color32[] Colors;
    }

    /// <summary>Stands for Unity's player loop; one for all tests of a process.</summary>
    public static class FakePlayer
    {
        internal static readonly List<GameObject> Objects = new List<GameObject>();
        private static readonly HashSet<MonoBehaviour> Started = new HashSet<MonoBehaviour>();

        public static readonly List<ConsoleLine> Console = new List<ConsoleLine>();
        public static readonly List<Drawing> Drawings = new List<Drawing>();

        /// <summary>Destroy every object and forget what was written and drawn.</summary>
        public static void Reset()
        {
            foreach (GameObject each in Objects.ToArray())
            {
                UnityEngine.Object.DestroyImmediate(each);
            }
            Console.Clear();
            Drawings.Clear();
            Started.Clear();
        }

        /// <summary>Every component of a kind.</summary>
        public static T[] All<T>() where T : Component
        {
            return Objects.SelectMany(each => each.Components.OfType<T>()).ToArray();
        }

        /// <summary>One frame: Start of new components, Update of all, LateUpdate of all, each by execution order.</summary>
        public static void Frame()
        {
            Drawings.Clear();
            foreach (MonoBehaviour behaviour in Running().Where(each => Started.Add(each)))
            {
                Call(behaviour, "Start");
            }
            foreach (MonoBehaviour behaviour in Running())
            {
                Call(behaviour, "Update");
            }
            foreach (MonoBehaviour behaviour in Running())
            {
                Call(behaviour, "LateUpdate");
            }
        }

        /// <summary>What Unity calls by name, if the component has it.</summary>
        public static void Call(MonoBehaviour behaviour, string method)
        {
            MethodInfo found = behaviour.GetType().GetMethod(
                method, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, null, Type.EmptyTypes, null);
            if (found != null)
            {
                ((Action)Delegate.CreateDelegate(typeof(Action), behaviour, found))();
            }
        }

        /// <summary>Set a field that a person would set in the inspector.</summary>
        public static void SetField(MonoBehaviour behaviour, string field, object value)
        {
            behaviour.GetType().GetField(field, BindingFlags.Instance | BindingFlags.NonPublic).SetValue(behaviour, value);
        }

        private static MonoBehaviour[] Running()
        {
            return Objects.ToArray()
                .Where(each => each.activeSelf)
                .SelectMany(each => each.Components.OfType<MonoBehaviour>())
                .Where(each => each.enabled)
                .OrderBy(Order)
                .ToArray();
        }

        private static int Order(MonoBehaviour behaviour)
        {
            DefaultExecutionOrder order = behaviour.GetType().GetCustomAttribute<DefaultExecutionOrder>();
            return order == null ? 0 : order.order;
        }
    }
}
