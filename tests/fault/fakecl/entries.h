/* The slots of the ICD loader's table: those that the fake has, and those that it lacks. */
#ifndef FAKE_ENTRIES_H
#define FAKE_ENTRIES_H

/* clang-format off */
#define FAKE_HAS(X) \
    X(clGetPlatformIDs) X(clGetPlatformInfo) X(clGetDeviceIDs) X(clGetDeviceInfo) X(clCreateContext) \
    X(clRetainContext) X(clReleaseContext) X(clGetContextInfo) X(clCreateCommandQueue) X(clRetainCommandQueue) \
    X(clReleaseCommandQueue) X(clGetCommandQueueInfo) X(clCreateBuffer) X(clRetainMemObject) X(clReleaseMemObject) \
    X(clGetMemObjectInfo) X(clCreateProgramWithSource) X(clCreateProgramWithBinary) X(clRetainProgram) \
    X(clReleaseProgram) X(clBuildProgram) X(clGetProgramInfo) X(clGetProgramBuildInfo) X(clCreateKernel) \
    X(clRetainKernel) X(clReleaseKernel) X(clSetKernelArg) X(clGetKernelInfo) X(clGetKernelWorkGroupInfo) \
    X(clWaitForEvents) X(clGetEventInfo) X(clRetainEvent) X(clReleaseEvent) X(clFlush) X(clFinish) \
    X(clEnqueueReadBuffer) X(clEnqueueWriteBuffer) X(clEnqueueMapBuffer) X(clEnqueueUnmapMemObject) \
    X(clEnqueueNDRangeKernel) X(clGetExtensionFunctionAddress) X(clRetainDevice) X(clReleaseDevice) \
    X(clEnqueueMarkerWithWaitList) X(clEnqueueBarrierWithWaitList) X(clGetEventProfilingInfo)
#define FAKE_LACKS(X) \
    X(clCreateContextFromType) X(clSetCommandQueueProperty) X(clCreateImage2D) X(clCreateImage3D) \
    X(clGetSupportedImageFormats) X(clGetImageInfo) X(clCreateSampler) X(clRetainSampler) X(clReleaseSampler) \
    X(clGetSamplerInfo) X(clUnloadCompiler) X(clCreateKernelsInProgram) \
    X(clEnqueueCopyBuffer) X(clEnqueueReadImage) X(clEnqueueWriteImage) X(clEnqueueCopyImage) \
    X(clEnqueueCopyImageToBuffer) X(clEnqueueCopyBufferToImage) X(clEnqueueMapImage) X(clEnqueueTask) \
    X(clEnqueueNativeKernel) X(clEnqueueMarker) X(clEnqueueWaitForEvents) X(clEnqueueBarrier) \
    X(clCreateFromGLBuffer) X(clCreateFromGLTexture2D) X(clCreateFromGLTexture3D) X(clCreateFromGLRenderbuffer) \
    X(clGetGLObjectInfo) X(clGetGLTextureInfo) X(clEnqueueAcquireGLObjects) X(clEnqueueReleaseGLObjects) \
    X(clGetGLContextInfoKHR) X(clGetDeviceIDsFromD3D10KHR) X(clCreateFromD3D10BufferKHR) \
    X(clCreateFromD3D10Texture2DKHR) X(clCreateFromD3D10Texture3DKHR) X(clEnqueueAcquireD3D10ObjectsKHR) \
    X(clEnqueueReleaseD3D10ObjectsKHR) X(clSetEventCallback) X(clCreateSubBuffer) \
    X(clSetMemObjectDestructorCallback) X(clCreateUserEvent) X(clSetUserEventStatus) X(clEnqueueReadBufferRect) \
    X(clEnqueueWriteBufferRect) X(clEnqueueCopyBufferRect) X(clCreateSubDevicesEXT) X(clRetainDeviceEXT) \
    X(clReleaseDeviceEXT) X(clCreateEventFromGLsyncKHR) X(clCreateSubDevices) X(clCreateImage) \
    X(clCreateProgramWithBuiltInKernels) X(clCompileProgram) X(clLinkProgram) X(clUnloadPlatformCompiler) \
    X(clGetKernelArgInfo) X(clEnqueueFillBuffer) X(clEnqueueFillImage) X(clEnqueueMigrateMemObjects) \
    X(clGetExtensionFunctionAddressForPlatform) X(clCreateFromGLTexture) X(clGetDeviceIDsFromD3D11KHR) \
    X(clCreateFromD3D11BufferKHR) X(clCreateFromD3D11Texture2DKHR) X(clCreateFromD3D11Texture3DKHR) \
    X(clCreateFromDX9MediaSurfaceKHR) X(clEnqueueAcquireD3D11ObjectsKHR) X(clEnqueueReleaseD3D11ObjectsKHR) \
    X(clGetDeviceIDsFromDX9MediaAdapterKHR) X(clEnqueueAcquireDX9MediaSurfacesKHR) \
    X(clEnqueueReleaseDX9MediaSurfacesKHR) X(clCreateFromEGLImageKHR) X(clEnqueueAcquireEGLObjectsKHR) \
    X(clEnqueueReleaseEGLObjectsKHR) X(clCreateEventFromEGLSyncKHR) X(clCreateCommandQueueWithProperties) \
    X(clCreatePipe) X(clGetPipeInfo) X(clSVMAlloc) X(clSVMFree) X(clEnqueueSVMFree) X(clEnqueueSVMMemcpy) \
    X(clEnqueueSVMMemFill) X(clEnqueueSVMMap) X(clEnqueueSVMUnmap) X(clCreateSamplerWithProperties) \
    X(clSetKernelArgSVMPointer) X(clSetKernelExecInfo) X(clGetKernelSubGroupInfoKHR) X(clCloneKernel) \
    X(clCreateProgramWithIL) X(clEnqueueSVMMigrateMem) X(clGetDeviceAndHostTimer) X(clGetHostTimer) \
    X(clGetKernelSubGroupInfo) X(clSetDefaultDeviceCommandQueue) X(clSetProgramReleaseCallback) \
    X(clSetProgramSpecializationConstant) X(clCreateBufferWithProperties) X(clCreateImageWithProperties) \
    X(clSetContextDestructorCallback)
/* clang-format on */

#endif
